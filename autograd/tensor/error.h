#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace hindsight {

/// Base of every exception the library throws for a user's mistake. `what()` is one sentence that
/// names the operation, what it got and what it needs.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct ShapeError : Error {
  using Error::Error;
};  ///< sizes or ranks that do not fit
struct DTypeError : Error {
  using Error::Error;
};  ///< element types mixed or not supported
struct IndexError : Error {
  using Error::Error;
};  ///< an index or axis out of range
struct TapeError : Error {
  using Error::Error;
};  ///< differentiation asked where it is impossible
struct NonFiniteError : Error {
  using Error::Error;
};  ///< NaN or infinity met by a check
struct FileError : Error {
  using Error::Error;
};  ///< a file missing, malformed or not writable
struct OptionError : Error {
  using Error::Error;
};  ///< an option outside its range

/// Throws `E` with a formatted message.
template <class E = Error, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace hindsight
