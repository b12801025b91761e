#pragma once
/// All of hindsight::optim.

#include <hindsight/optim/adam.h>
#include <hindsight/optim/optimizer.h>
#include <hindsight/optim/sgd.h>
