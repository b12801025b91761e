#include "adbench_problem.h"

#include <hindsight/autograd/tensor/error.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iomanip>

namespace hindsight::bench {
namespace {

constexpr std::int64_t kMostNumbers = std::int64_t{1} << 40;  // more do not fit into any memory
constexpr int kLongestWord = 64;  // a double takes 24 characters; what is longer is cut

/// Reads a file word by word.
class Words {
 public:
  explicit Words(const std::string& path) : path_(path), file_(path) {
    if (!file_) fail<FileError>("{}: cannot be opened", path);
  }

  /// False at the end of the file.
  bool next() {
    ++count_;
    if (file_ >> std::setw(kLongestWord) >> word_) return true;
    if (file_.bad()) fail<FileError>("{}: cannot be read", path_);
    return false;
  }
  std::int64_t count(const char* what, std::int64_t least) {
    if (!next()) fail<FileError>("{}: ends before its number of {}", path_, what);
    const auto value = parsed<std::int64_t>();
    if (!value.fits || value.number < least) {
      fail<FileError>("{}: its number of {} is \"{}\"; a whole number of at least {} is needed",
                      path_, what, printable(), least);
    }
    return value.number;
  }
  double number() const {
    const auto value = parsed<double>();
    if (!value.fits || !std::isfinite(value.number)) {
      fail<FileError>("{}: word {} is \"{}\"; a finite number is needed", path_, count_,
                      printable());
    }
    return value.number;
  }

 private:
  template <class T>
  struct Parsed {
    T number;
    bool fits;  ///< the whole word is a number in T's range
  };
  template <class T>
  Parsed<T> parsed() const {
    T number = 0;
    const char* const end = word_.data() + word_.size();
    const auto [stop, error] = std::from_chars(word_.data(), end, number);
    return {number, error == std::errc() && stop == end};
  }
  std::string printable() const {
    std::string text = word_;
    for (char& c : text) c = std::isprint(static_cast<unsigned char>(c)) ? c : '?';
    return text;
  }

  std::string path_;
  std::ifstream file_;
  std::string word_;
  std::int64_t count_ = 0;
};

/// 10 l b + 3 b + c b, at most kMostNumbers.
std::int64_t numbers_promised(const AdbenchProblem& p) {
  const double promised =
      (10.0 * static_cast<double>(p.layers) + 3.0 + static_cast<double>(p.characters)) *
      static_cast<double>(p.bits);
  if (promised >= static_cast<double>(kMostNumbers)) return kMostNumbers;
  return (10 * p.layers + 3 + p.characters) * p.bits;
}

}  // namespace

AdbenchProblem read_adbench(const std::string& path) {
  Words words(path);
  AdbenchProblem p{};
  p.layers = words.count("layers", 1);
  p.characters = words.count("characters", 2);  // each but the first is predicted
  p.bits = words.count("bits", 1);
  const std::int64_t promised = numbers_promised(p);
  std::int64_t found = 0;
  const auto reject = [&](const char* how) {
    fail<FileError>(
        "{}: holds {} numbers after its counts; {} layers, {} characters and {} bits {}", path,
        found, p.layers, p.characters, p.bits, how);
  };
  if (promised == kMostNumbers) reject("are more than any memory holds");
  const auto read = [&](std::int64_t count, std::vector<double>* to) {
    for (std::int64_t i = 0; i < count; ++i, ++found) {
      if (!words.next()) reject(fmt::format("need {}", promised).c_str());
      to->push_back(words.number());
    }
  };
  read(8 * p.layers * p.bits, &p.main);
  read(3 * p.bits, &p.extra);
  read(2 * p.layers * p.bits, &p.state);
  read(p.characters * p.bits, &p.sequence);
  if (words.next())
    fail<FileError>(
        "{}: goes on after the {} numbers that {} layers, {} characters "
        "and {} bits need",
        path, found, p.layers, p.characters, p.bits);
  return p;
}

}  // namespace hindsight::bench
