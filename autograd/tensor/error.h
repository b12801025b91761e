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
/// Sizes or ranks do not fit.
struct ShapeError : Error {
  using Error::Error;
};
/// Element types are mixed or not supported.
struct DTypeError : Error {
  using Error::Error;
};
/// An index or axis is out of range.
struct IndexError : Error {
  using Error::Error;
};
/// Differentiation was asked for where it is impossible.
struct TapeError : Error {
  using Error::Error;
};
/// A check found NaN or infinity.
struct NonFiniteError : Error {
  using Error::Error;
};
/// A file is missing, malformed or not writable.
struct FileError : Error {
  using Error::Error;
};
/// An option is outside its range.
struct OptionError : Error {
  using Error::Error;
};

/// Throws `E` with a formatted message.
template <class E = Error, class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) {
  throw E(fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace hindsight
