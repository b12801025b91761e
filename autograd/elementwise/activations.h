#pragma once
#include <hindsight/autograd/elementwise/comparisons.h>

/// Activation functions beside tanh, sigmoid and relu, as PyTorch defines them.
namespace hindsight {
namespace functions {

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), which does not overflow.
struct Softplus {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "softplus";
  template <class X>
  auto value(const X& x) const {
    return Relu{}.value(x) + log1p(exp(-abs(x)));
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return sigmoid(x);
  }
};

/// log(sigmoid(x)) = -softplus(-x).
struct LogSigmoid {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "log_sigmoid";
  template <class X>
  auto value(const X& x) const {
    return -Softplus{}.value(-x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return sigmoid(-x);
  }
};

/// x sigmoid(x), also called swish.
struct Silu {
  static constexpr unsigned kReads = kInput | kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "silu";
  template <class X>
  auto value(const X& x) const {
    return simd::silu(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y& y) const {
    const auto s = sigmoid(x);
    return s + y * (1 - s);
  }
};

/// x P(normal <= x) = x erfc(-x / sqrt(2)) / 2 (Hendrycks and Gimpel 2016, arXiv 1606.08415). For
/// negative x 1 + erf(...) would cancel, and so would float32's rounding of x / sqrt(2) show.
struct Gelu {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "gelu";
  template <class X>
  auto value(const X& x) const {
    return simd::in_double(x,
                           [](const auto& wide) { return 0.5 * wide * erfc(-kRootHalf * wide); });
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return 0.5 * erfc(number(x, -kRootHalf) * x) +
           number(x, 0.5 * kTwoOverRootPi * kRootHalf) * x * exp(-0.5 * x * x);
  }
};

/// x above 0, alpha (exp(x) - 1) below (Clevert et al. 2015, arXiv 1511.07289).
struct Elu {
  static constexpr unsigned kReads = kInput | kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "elu";
  double alpha;
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), x, number(x, alpha) * expm1(x));
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y& y) const {
    return positive(x) + masked(1 - positive(x), y + number(x, alpha));
  }
};

/// x above 0, slope x below.
struct LeakyRelu {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "leaky_relu";
  double slope;
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), x, number(x, slope) * x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return number(x, slope) + number(x, 1 - slope) * positive(x);
  }
};

/// x saved within [low, high]; the slope is 0 at the ends, where clamp's is 1.
struct HardTanh {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "hardtanh";
  double low, high;
  template <class X>
  auto value(const X& x) const {
    return Clamp{low, high}.value(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return positive(x - number(x, low)) * positive(number(x, high) - x);
  }
};

/// (x + 3) / 6 saved within [0, 1].
struct HardSigmoid {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "hardsigmoid";
  template <class X>
  auto value(const X& x) const {
    return Clamp{0, 6}.value(x + 3) / 6;
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return positive(x + 3) * positive(3 - x) / 6;
  }
};

/// x / (1 + |x|).
struct Softsign {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "softsign";
  template <class X>
  auto value(const X& x) const {
    return x / (1 + abs(x));
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    const auto below = 1 + abs(x);
    return 1 / (below * below);
  }
};

}  // namespace functions
}  // namespace hindsight
