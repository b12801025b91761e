#pragma once
#include <cstdint>
#include <string>
#include <vector>

/// The LSTM objective of ADBench (github.com/microsoft/ADBench): its input files.
namespace hindsight::bench {

/// The content of a file, row-major. l layers, c characters, b bits for each character.
struct AdbenchProblem {
  std::int64_t layers, characters, bits;
  /// (l, 8, b): weights of the forget gate, ingate, outgate and change, then their biases.
  std::vector<double> main;
  std::vector<double> extra;     ///< (3, b): in_weight, out_weight, out_bias
  std::vector<double> state;     ///< (l, 2, b): hidden and cell before the first character
  std::vector<double> sequence;  ///< (c, b)
};

/// Reads a file: the counts l, c and b, then main, extra, state and sequence, in numbers separated
/// by white space. FileError for a file that cannot be read, for counts out of range, and for words
/// that are not finite numbers, missing or left over. Memory is allocated for the numbers that are
/// there, not for those that the counts announce.
AdbenchProblem read_adbench(const std::string& path);

}  // namespace hindsight::bench
