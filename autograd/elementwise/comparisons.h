#pragma once
#include <hindsight/autograd/elementwise/elementary.h>

/// Comparisons, what is built on their masks of 1 and 0, and limits.
namespace hindsight {
namespace functions {

/// What all comparisons have in common: 1 where true, else 0, and no slope.
struct Comparison {
  static constexpr unsigned kLeftReads = kNothing, kRightReads = kNothing;
  template <class A, class B, class Y>
  Zero by_left(const A&, const B&, const Y&) const {
    return {};
  }
  template <class A, class B, class Y>
  Zero by_right(const A&, const B&, const Y&) const {
    return {};
  }
};

struct Greater : Comparison {
  static constexpr const char* kName = "greater";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a > b, X(1), X(0));
  }
};

struct GreaterEqual : Comparison {
  static constexpr const char* kName = "greater_equal";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a >= b, X(1), X(0));
  }
};

struct Less : Comparison {
  static constexpr const char* kName = "less";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a < b, X(1), X(0));
  }
};

struct LessEqual : Comparison {
  static constexpr const char* kName = "less_equal";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a <= b, X(1), X(0));
  }
};

struct Equal : Comparison {
  static constexpr const char* kName = "equal";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a == b, X(1), X(0));
  }
};

struct NotEqual : Comparison {
  static constexpr const char* kName = "not_equal";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a == b, X(0), X(1));  // NaN differs from everything
  }
};

/// x where the mask is not 0, else 0, whatever x is there: half of `where`.
struct Masked {
  static constexpr unsigned kLeftReads = kNothing, kRightReads = kLeft;
  static constexpr const char* kName = "where";
  template <class X>
  auto value(const X& mask, const X& x) const {
    return select(mask == X(0), X(0), x);
  }
  template <class M, class X, class Y>
  Zero by_left(const M&, const X&, const Y&) const {
    return {};
  }
  template <class M, class X, class Y>
  auto by_right(const M& mask, const X&, const Y&) const {
    return 1 - is_zero(mask);
  }
};

/// The halves of `where` put together: a sum under its name, for messages.
struct Where : Add {
  static constexpr const char* kName = "where";
};

/// a - b, but 0 where both are the same infinity.
struct Gap : Subtract {
  static constexpr const char* kName = "gap";
  template <class X>
  auto value(const X& a, const X& b) const {
    return select(a == b, X(0), a - b);
  }
};

/// log(exp(a) + exp(b)) = max(a, b) + log1p(exp(-|a - b|)), which does not overflow. The two parts
/// cancel where the probabilities add up to 1: so in double.
struct LogAddExp {
  static constexpr unsigned kLeftReads = kLeft | kRight, kRightReads = kLeft | kRight;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "log_add_exp";
  template <class X>
  auto value(const X& a, const X& b) const {
    return simd::in_double(a, b, [](const auto& l, const auto& r) {
      return Maximum{}.value(l, r) + log1p(exp(-abs(Gap{}.value(l, r))));
    });
  }
  template <class A, class B, class Y>
  auto by_left(const A& a, const B& b, const Y&) const {
    return sigmoid(gap(a, b));
  }
  template <class A, class B, class Y>
  auto by_right(const A& a, const B& b, const Y&) const {
    return sigmoid(gap(b, a));
  }
};

/// x saved within [low, high]. The slope is 1 there, ends included, and 0 outside.
struct Clamp {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "clamp";
  double low, high;
  template <class X>
  auto value(const X& x) const {
    const X l(number(x, low)), h(number(x, high));
    return select(x < l, l, select(x > h, h, x));  // keeps NaN
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return (1 - positive(number(x, low) - x)) * (1 - positive(x - number(x, high)));
  }
};

}  // namespace functions
}  // namespace hindsight

namespace xsimd {
template <class T, class A>
batch<T, A> masked(const batch<T, A>& mask, const batch<T, A>& x) {
  return hindsight::functions::Masked{}.value(mask, x);
}
template <class T, class A>
batch<T, A> gap(const batch<T, A>& a, const batch<T, A>& b) {
  return hindsight::functions::Gap{}.value(a, b);
}
}  // namespace xsimd
