#pragma once
#include <doctest/doctest.h>
#include <hindsight/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

/// Shared by several tests: reproducible values, comparisons, derivatives of a function in one
/// call.
namespace hindsight::test {

using In = const std::vector<Variable>&;
using Function = std::function<Variable(In)>;

/// Blocks that the whole program allocated by new. AddressSanitizer replaces new itself: with it,
/// the allocations of this thread's pool are counted, and `live` is 0.
struct SystemMemory {
  std::int64_t allocations;  ///< since the program began
  std::int64_t live;         ///< of these, not deleted
};
SystemMemory system_memory();

/// While active, this thread's allocations by new fail after the first `successes`. Without effect
/// with AddressSanitizer, which replaces new itself.
class FailingMemory {
 public:
  explicit FailingMemory(int successes);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;
  static bool works();
};

/// Uniform values, representable in float32 whatever the dtype, so that both types get the same.
inline Tensor random_tensor(const Shape& shape, std::uint64_t seed, DType dtype = DType::f64,
                            double low = -1, double high = 1) {
  Rng rng(seed);
  const Tensor t(shape, dtype);
  for (Size i = 0; i < t.elements(); ++i) t.set(i, static_cast<float>(rng.uniform(low, high)));
  return t;
}

/// The largest difference over the largest magnitude of `wanted` (at least `floor`); infinite if
/// the shapes differ or only one is NaN.
inline double relative_difference(const Tensor& got, const Tensor& wanted, double floor = 1e-3) {
  if (got.shape() != wanted.shape()) return INFINITY;
  double difference = 0, magnitude = floor;
  for (Size i = 0; i < got.elements(); ++i) {
    const double g = got.at(i), w = wanted.at(i);
    if (std::isnan(g) && std::isnan(w)) continue;
    if (g == w) continue;
    if (!std::isfinite(g - w)) return INFINITY;
    difference = std::max(difference, std::abs(g - w));
    magnitude = std::max(magnitude, std::abs(w));
  }
  return difference / magnitude;
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = a.contiguous_copy(), y = b.contiguous_copy();
  return std::memcmp(x.bytes(), y.bytes(),
                     static_cast<std::size_t>(x.elements() * bytes_of(x.dtype()))) == 0;
}

/// The text of the exception that `f` throws, which must be exactly an E.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return typeid(error) == typeid(E) ? error.what() : std::string("another type: ") + error.what();
  } catch (const std::exception& error) {
    return std::string("another type: ") + error.what();
  }
  return "nothing was thrown";
}

struct Derivatives {
  Tensor value;
  std::vector<Tensor> gradients;  ///< of the inputs, then of the parameters
};

/// f's value and the gradients of its elements' sum with fixed random weights.
inline Derivatives derivatives(const Function& f, const std::vector<Tensor>& inputs,
                               const std::vector<Parameter>& parameters = {}) {
  Tape tape;
  std::vector<Variable> wanted;
  for (const Tensor& input : inputs) wanted.push_back(tape.watch(input));
  const std::vector<Variable> in = wanted;
  for (const Parameter& parameter : parameters) wanted.emplace_back(parameter);
  const Variable y = f(in);
  const Variable weights(random_tensor(y.shape(), 99, y.dtype()));
  Derivatives result{y.value().contiguous_copy(), {}};
  for (const Variable& g : tape.gradient({y}, wanted, {.cotangents = {weights}})) {
    result.gradients.push_back(g.value().contiguous_copy());
  }
  return result;
}

/// Checks first and second derivatives against differences.
inline void check_both_orders(const Function& f, const std::vector<Tensor>& inputs,
                              const std::vector<Parameter>& parameters = {}, Size elements = 24) {
  const CheckReport report = check_gradients(
      f, inputs, parameters,
      {.relative = 2e-6, .absolute = 2e-8, .elements = elements, .second_order = true});
  INFO(report.to_string());
  CHECK(report.passed);
  CHECK(report.checked > 0);
}

/// Compares a function in float32 and float64, whose kernels differ.
inline void check_float_like_double(const Function& f, const std::vector<Tensor>& inputs,
                                    std::vector<Parameter> parameters = {}) {
  const auto in = [&](DType dtype) {
    std::vector<Tensor> converted;
    for (const Tensor& t : inputs) converted.push_back(t.to(dtype));
    for (Parameter& p : parameters) p.to(dtype);
    return derivatives(f, converted, parameters);
  };
  const Derivatives narrow = in(DType::f32), wide = in(DType::f64);
  CHECK(relative_difference(narrow.value, wide.value) < 1e-4);
  for (std::size_t i = 0; i < wide.gradients.size(); ++i) {
    INFO("gradient ", i);
    CHECK(relative_difference(narrow.gradients[i], wide.gradients[i]) < 1e-4);
  }
}

/// x, with twice its derivative: a planted mistake.
struct Doubled {
  static constexpr const char* kName = "doubled";
  template <class X>
  auto value(const X& x) const {
    return 1 * x;
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return 2 + 0 * x;
  }
};

/// Checks that a mistake after f is found, and that nothing recorded by f is blamed.
inline void check_not_blamed(const Function& f, const std::vector<Tensor>& inputs) {
  const CheckReport report = check_gradients(
      [&](In x) { return Variable(sum(f(x)) + sum(elementwise(Doubled{}, sum(x[0])))); }, inputs,
      {}, {.fast = true});
  INFO(report.to_string());
  REQUIRE(report.culprit.has_value());
  CHECK(report.culprit->operation == std::string("doubled"));
}

/// A row of the gradient table.
struct Row {
  const char* name;
  Function function;
  std::vector<Shape> shapes;
  double low = -1.5, high = 1.5;  // domain of the inputs
};

/// Checks every row to second order, in float32 against float64, and before a planted mistake.
inline void run(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(std::string(row.name));
    std::vector<Tensor> inputs;
    for (const Shape& shape : row.shapes) {
      inputs.push_back(random_tensor(shape, 11 + inputs.size(), DType::f64, row.low, row.high));
    }
    check_both_orders(row.function, inputs);
    check_float_like_double(row.function, inputs);
    check_not_blamed(row.function, inputs);
  }
}

}  // namespace hindsight::test
