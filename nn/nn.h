#pragma once
/// All of hindsight::nn.

#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/cell.h>
#include <hindsight/nn/dropout.h>
#include <hindsight/nn/embedding.h>
#include <hindsight/nn/gates.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/linear.h>
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/module.h>
#include <hindsight/nn/recurrent.h>
#include <hindsight/nn/rnn.h>
#include <hindsight/nn/row_dropout.h>
#include <hindsight/nn/safetensors.h>
#include <hindsight/nn/state_dict.h>
