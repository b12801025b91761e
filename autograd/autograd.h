#pragma once
/// Everything of hindsight::autograd.

#include <hindsight/autograd/blas.h>
#include <hindsight/autograd/cumulative.h>
#include <hindsight/autograd/derivatives.h>
#include <hindsight/autograd/dropout.h>
#include <hindsight/autograd/error.h>
#include <hindsight/autograd/expression.h>
#include <hindsight/autograd/finite.h>
#include <hindsight/autograd/fused.h>
#include <hindsight/autograd/gradcheck.h>
#include <hindsight/autograd/index_ops.h>
#include <hindsight/autograd/indices.h>
#include <hindsight/autograd/layer_norm.h>
#include <hindsight/autograd/losses.h>
#include <hindsight/autograd/matmul.h>
#include <hindsight/autograd/parameter.h>
#include <hindsight/autograd/pushforward.h>
#include <hindsight/autograd/random.h>
#include <hindsight/autograd/reduce.h>
#include <hindsight/autograd/sequence.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/softmax.h>
#include <hindsight/autograd/structural.h>
#include <hindsight/autograd/tape.h>
#include <hindsight/autograd/tensor.h>
#include <hindsight/autograd/variable.h>
