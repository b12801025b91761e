#pragma once
#include <hindsight/autograd/elementwise/functions.h>
#include <hindsight/autograd/tape/variable.h>

#include <limits>
#include <tuple>
#include <type_traits>

/// Operators and functions on Variables build a delayed expression; converting it to a Variable
/// computes it in one pass over memory. The conversion is in elementwise.h, the header to include.
namespace hindsight {

/// A number in an expression.
struct Scalar {
  double value;
};

/// A delayed elementwise computation. Holds handles to its operands, so it cannot dangle.
template <class F, class... Arguments>
class Expression {
 public:
  template <class... Values>
  explicit Expression(const F& f, Values&&... values)
      : function(f), arguments(std::forward<Values>(values)...) {}

  /// The shape that the operands broadcast to; ShapeError if they do not fit.
  Shape shape() const;

  F function;
  std::tuple<Arguments...> arguments;
};

namespace detail {

template <class T>
struct is_expression : std::false_type {};
template <class F, class... A>
struct is_expression<Expression<F, A...>> : std::true_type {};

/// Variables, parameters and expressions: operators with at least one of these build an expression.
template <class T>
constexpr bool is_lazy =
    std::is_same_v<T, Variable> || std::is_same_v<T, Parameter> || is_expression<T>::value;
template <class T>
constexpr bool is_operand = is_lazy<T> || std::is_arithmetic_v<T>;

/// The name of a function in messages; a user's function may omit it.
template <class F, class = void>
constexpr const char* name_of = "elementwise";
template <class F>
inline constexpr const char* name_of<F, std::void_t<decltype(F::kName)>> = F::kName;

template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
Scalar operand(T value) {
  return {static_cast<double>(value)};
}
inline Variable operand(const Parameter& parameter) { return Variable(parameter); }
inline const Variable& operand(const Variable& v) { return v; }
inline Variable&& operand(Variable&& v) { return std::move(v); }
template <class F, class... A>
const Expression<F, A...>& operand(const Expression<F, A...>& e) {
  return e;
}
template <class F, class... A>
Expression<F, A...>&& operand(Expression<F, A...>&& e) {
  return std::move(e);
}

template <class F, class... A>
auto make_expression(F f, A&&... arguments) {
  return Expression<F, std::decay_t<decltype(operand(std::forward<A>(arguments)))>...>(
      f, operand(std::forward<A>(arguments))...);
}

/// Calls f(leaf) on every Variable of an expression, left to right.
template <class F>
void for_each_leaf(const Variable& leaf, F&& f) {
  f(leaf);
}
template <class F>
void for_each_leaf(const Scalar&, F&&) {}
template <class G, class... A, class F>
void for_each_leaf(const Expression<G, A...>& e, F&& f) {
  std::apply([&](const A&... a) { (for_each_leaf(a, f), ...); }, e.arguments);
}

/// The same expression with every Variable v replaced by f(v).
template <class F>
Variable map_leaves(const Variable& leaf, F&& f) {
  return f(leaf);
}
template <class F>
Scalar map_leaves(const Scalar& s, F&&) {
  return s;
}
template <class G, class... A, class F>
Expression<G, A...> map_leaves(const Expression<G, A...>& e, F&& f) {
  return std::apply(
      [&](const A&... a) { return Expression<G, A...>(e.function, map_leaves(a, f)...); },
      e.arguments);
}

template <class... T>
using require_lazy =
    std::enable_if_t<(is_operand<std::decay_t<T>> && ...) && (is_lazy<std::decay_t<T>> || ...)>;

inline void check_limits(const char* op, double low, double high) {
  if (!(low <= high)) fail<OptionError>("{}: low {} is above high {}", op, low, high);
}

}  // namespace detail

template <class F, class... Arguments>
Shape Expression<F, Arguments...>::shape() const {
  Shape shape;
  bool first = true;
  detail::for_each_leaf(*this, [&](const Variable& leaf) {
    if (first || !broadcasts_to(leaf.shape(), shape))
      shape = first ? leaf.shape() : broadcast_shapes(detail::name_of<F>, shape, leaf.shape());
    first = false;
  });
  return shape;
}

/// Applies a function of the user's own (see functions.h) element by element; it is fused like the
/// library's functions.
template <class F, class... A, class = detail::require_lazy<A...>>
auto elementwise(F function, A&&... arguments) {
  return detail::make_expression(function, std::forward<A>(arguments)...);
}

#define HINDSIGHT_UNARY_ROW(kind, function, text, Struct, formula, by_x, reads, saved) \
  template <class X, class = detail::require_lazy<X>>                                  \
  auto function(X&& x) {                                                               \
    return detail::make_expression(functions::Struct{}, std::forward<X>(x));           \
  }
#define HINDSIGHT_BINARY_ROW(kind, function, text, Struct, formula, by_a, by_b, reads_a, reads_b, \
                             saved)                                                               \
  template <class A, class B, class = detail::require_lazy<A, B>>                                 \
  auto function(A&& a, B&& b) {                                                                   \
    return detail::make_expression(functions::Struct{}, std::forward<A>(a), std::forward<B>(b));  \
  }
#include <hindsight/autograd/elementwise/function_table.inc>

/// x above 0, alpha (exp(x) - 1) below.
template <class X, class = detail::require_lazy<X>>
auto elu(X&& x, double alpha = 1) {
  return detail::make_expression(functions::Elu{alpha}, std::forward<X>(x));
}

/// x above 0, slope x below.
template <class X, class = detail::require_lazy<X>>
auto leaky_relu(X&& x, double slope = 0.01) {
  return detail::make_expression(functions::LeakyRelu{slope}, std::forward<X>(x));
}

/// x limited to [low, high], with slope 1 at these ends. OptionError unless low <= high.
template <class X, class = detail::require_lazy<X>>
auto clamp(X&& x, double low, double high) {
  detail::check_limits("clamp", low, high);
  return detail::make_expression(functions::Clamp{low, high}, std::forward<X>(x));
}

/// The same with slope 0 at the ends, as in PyTorch.
template <class X, class = detail::require_lazy<X>>
auto hardtanh(X&& x, double low = -1, double high = 1) {
  detail::check_limits("hardtanh", low, high);
  return detail::make_expression(functions::HardTanh{low, high}, std::forward<X>(x));
}

/// a where the mask is not 0, else b; the value that is not chosen has no effect, even if it is
/// NaN. All three broadcast.
template <class M, class A, class B, class = detail::require_lazy<M, A, B>>
auto where(const M& mask, A&& a, B&& b) {
  return detail::make_expression(functions::Where{}, masked(mask, std::forward<A>(a)),
                                 masked(is_zero(mask), std::forward<B>(b)));
}

/// `fill` where the mask is not 0, else x. Filled elements of x and the mask receive no gradient.
template <class X, class M, class = detail::require_lazy<X, M>>
auto masked_fill(X&& x, const M& mask, double fill) {
  return where(mask, fill, std::forward<X>(x));
}

/// (1 - weight) a + weight b: exactly a at weight 0 and b at 1.
template <class A, class B, class W, class = detail::require_lazy<A, B, W>>
auto lerp(A&& a, B&& b, const W& weight) {
  return (1 - weight) * std::forward<A>(a) + weight * std::forward<B>(b);
}

/// A derivative that is 0 everywhere.
inline auto operator*(const Variable& gradient, Zero) { return gradient * 0.0; }

namespace detail {

/// x - y, where x is the logarithm of a part and y that of its whole: -infinity if the part is
/// zero, even if the whole is, too.
template <class X>
auto log_ratio(X&& x, const Variable& y) {
  constexpr double kNothingLog = -std::numeric_limits<double>::infinity();
  return gap(std::forward<X>(x), masked(not_equal(y, kNothingLog), y));
}

}  // namespace detail

}  // namespace hindsight
