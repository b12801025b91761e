#pragma once
#include <string>

#include "char_training.h"

/// The lines in which `charlm train` and `quickstart` report on training.
namespace hindsight::tasks {

/// "1,115,394"
std::string grouped(Size count);

/// "347,457 parameters: 1 LSTM layer of 256 units, 65 symbols"
std::string describe(const CharModel& model);

/// "epoch 3/10   62%  loss 1.4321  2.066 bits/char  106k characters/s  0:42 left"
std::string progress_line(const std::string& where, const Pass& pass, double seconds_left);

/// "epoch 3/10  train 1.6621  valid 1.7533 nats/char, 2.529 bits/char  9.4 s  106k characters/s"
std::string epoch_line(const std::string& where, const Pass& train, const Pass& valid);

}  // namespace hindsight::tasks
