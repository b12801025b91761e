// Derivatives in one call, of functions and of models, against differences, each other and dense
// matrices; third order.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

using Tensors = std::vector<Tensor>;

double dot(const Tensors& a, const Tensors& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (Size j = 0; j < a[i].elements(); ++j) total += a[i].at(j) * b[i].at(j);
  }
  return total;
}

/// All tensors in one column, to be compared at once.
Tensor flat(const Tensors& tensors) {
  Size count = 0, next = 0;
  for (const Tensor& t : tensors) count += t.elements();
  const Tensor result(Shape{count, 1}, DType::f64);
  for (const Tensor& t : tensors) {
    for (Size j = 0; j < t.elements(); ++j) result.set(next++, t.at(j));
  }
  return result;
}

Tensor product(const Tensor& m, const Tensor& v) {
  return matmul(Variable(m), Variable(v)).value();
}
Tensor transposed_product(const Tensor& m, const Tensor& v) {
  return matmul(transpose(Variable(m)), Variable(v)).value();
}

/// A model with directions for its derivatives.
struct Subject {
  std::vector<Parameter> parameters;
  std::function<Variable()> outputs;
  std::function<Variable(const Variable&)> loss_of;
  Tensors v, w;

  Variable loss() const { return loss_of(outputs()); }
  std::function<Variable()> as_loss() const {
    return [this] { return loss(); };
  }
  void aim() {
    std::uint64_t seed = 100;
    for (const Parameter& p : parameters) {
      v.push_back(random_tensor(p.shape(), ++seed, p.dtype()));
      w.push_back(random_tensor(p.shape(), ++seed, p.dtype()));
    }
  }
  /// (g(p + h v) - g(p - h v)) / 2 h
  template <class G>
  Tensor difference(G&& g) {
    constexpr double h = 1e-5;  // third derivatives are about 1: 1e-10, and rounding 1e-11
    const auto at = [&](double step) {
      Tensors before;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        before.push_back(parameters[i].value().contiguous_copy());
        const Tensor moved = before[i].contiguous_copy();
        for (Size j = 0; j < moved.elements(); ++j) moved.set(j, moved.at(j) + step * v[i].at(j));
        parameters[i].assign(moved);
      }
      const Tensor result = g().contiguous_copy();
      for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].assign(before[i]);
      return result;
    };
    const Tensor up = at(h), down = at(-h), result(up.shape(), DType::f64);
    for (Size j = 0; j < up.elements(); ++j) result.set(j, (up.at(j) - down.at(j)) / (2 * h));
    return result;
  }
};

enum class Network { plain, lengths, bidirectional, wide };

/// An LSTM with a readout, far enough from zero for its curvature to show.
struct LstmSubject : Subject {
  Rng rng{5};
  nn::Lstm lstm;
  nn::Linear readout;

  static constexpr Size kWide = 48;  // times 48 rows: enough for shared gradients

  explicit LstmSubject(Network network, DType dtype = DType::f64)
      : lstm({.input = 3,
              .hidden = network == Network::wide ? kWide : 4,
              .layers = network == Network::bidirectional ? 2 : 1,
              .bidirectional = network == Network::bidirectional},
             rng),
        readout({.inputs = lstm.options().hidden * (lstm.options().bidirectional ? 2 : 1),
                 .outputs = 3},
                rng) {
    lstm.to(dtype);
    readout.to(dtype);
    parameters = lstm.parameters();
    for (const Parameter& p : readout.parameters()) parameters.push_back(p);
    const Size batch = network == Network::wide ? kWide : 3;
    const Tensor x = random_tensor({5, batch, 3}, 7, dtype);
    Indices targets(Shape{5, batch});
    for (Size i = 0; i < targets.elements(); ++i) targets.data()[i] = i % 3;
    outputs = [this, x, network] {
      nn::UnrollOptions options;
      if (network == Network::lengths) options.lengths = {5, 2, 3};
      return readout(lstm(Variable(x), options).outputs);
    };
    loss_of = [targets](const Variable& z) { return cross_entropy(z, targets); };
    aim();
  }
};

Tensors gradient_of(const Subject& s) {
  return vjp(s.as_loss(), s.parameters, Tensor::full({}, 1, s.v[0].dtype())).gradients;
}

/// Compares every product of a model with differences, dense matrices and each other.
void check_products(Subject& s) {
  const Tensors hv = hessian_vector_product(s.as_loss(), s.parameters, s.v);
  const Tensors hw = hessian_vector_product(s.as_loss(), s.parameters, s.w);
  CHECK(relative_difference(flat(hv), s.difference([&] { return flat(gradient_of(s)); })) < 1e-7);
  CHECK(dot(hv, s.w) == doctest::Approx(dot(hw, s.v)).epsilon(1e-10));

  const JvpResult pushed = jvp(s.outputs, s.parameters, s.v);
  CHECK(relative_difference(pushed.tangent, s.difference([&] { return s.outputs().value(); })) <
        1e-7);
  const Tensor u = random_tensor(pushed.value.shape(), 9);
  const VjpResult pulled = vjp(s.outputs, s.parameters, u);
  CHECK(dot({u}, {pushed.tangent}) == doctest::Approx(dot(pulled.gradients, s.v)).epsilon(1e-10));
  CHECK(same_bits(pushed.value, pulled.value));

  const Tensor J = jacobian(s.outputs, s.parameters);
  CHECK(relative_difference(product(J, flat(s.v)), flat({pushed.tangent})) < 1e-12);
  CHECK(relative_difference(transposed_product(J, flat({u})), flat(pulled.gradients)) < 1e-12);

  const Tensors gv = gauss_newton_vector_product(s.outputs, s.loss_of, s.parameters, s.v);
  const Tensor at = pushed.value;
  const auto curved = [&](In z) { return s.loss_of(z[0]); };
  const Tensors h_j_v = hessian_vector_product(curved, {at}, {pushed.tangent});
  CHECK(relative_difference(flat(gv), transposed_product(J, flat(h_j_v))) < 1e-10);
  CHECK(dot(gv, s.v) > 0);  // cross-entropy is convex
}

/// The gradient of <w, H v> by a third differentiation.
Tensors third_order(const Subject& s) {
  Tape tape;
  const std::vector<Variable> at(s.parameters.begin(), s.parameters.end());
  const std::vector<Variable> v(s.v.begin(), s.v.end());
  const Variable slope = tape.tangent({s.loss()}, at, v, {.create_graph = true})[0];
  const std::vector<Variable> hv = tape.gradient(slope, at, {.create_graph = true});
  Variable along;
  for (std::size_t i = 0; i < hv.size(); ++i) {
    const Variable part = sum(hv[i] * Variable(s.w[i]));
    along = along ? Variable(along + part) : part;
  }
  Tensors result;
  for (const Variable& g : tape.gradient(along, at)) result.push_back(g.value().contiguous_copy());
  return result;
}

TEST_CASE("products of an LSTM's loss agree with differences, dense matrices and each other") {
  for (Network network : {Network::plain, Network::lengths, Network::bidirectional}) {
    CAPTURE(static_cast<int>(network));
    LstmSubject subject(network);
    check_products(subject);
  }
}

TEST_CASE("products of a wide LSTM, whose gradients share memory, agree with differences") {
  LstmSubject s(Network::wide);
  const Tensors hv = hessian_vector_product(s.as_loss(), s.parameters, s.v);
  CHECK(relative_difference(flat(hv), s.difference([&] { return flat(gradient_of(s)); })) < 1e-6);
  // With zeros for the other directions, or without them, so that some addends have no tangent.
  Tensors zeros;
  for (const Tensor& v : s.v) zeros.push_back(Tensor::zeros(v.shape(), DType::f64));
  zeros[1] = s.v[1];
  const Tensor wanted = hessian_vector_product(s.as_loss(), s.parameters, zeros)[1];
  const Tensor alone = hessian_vector_product(s.as_loss(), {s.parameters[1]}, {s.v[1]})[0];
  CHECK(relative_difference(alone, wanted) < 1e-12);
}

TEST_CASE("float32 products are those of float64, rounded") {
  LstmSubject narrow(Network::lengths, DType::f32), wide(Network::lengths);
  const auto close = [](const Tensors& a, const Tensors& b) {
    CHECK(a[0].dtype() == DType::f32);
    CHECK(relative_difference(flat(a), flat(b)) < 1e-5);
  };
  close(hessian_vector_product(narrow.as_loss(), narrow.parameters, narrow.v),
        hessian_vector_product(wide.as_loss(), wide.parameters, wide.v));
  close(gauss_newton_vector_product(narrow.outputs, narrow.loss_of, narrow.parameters, narrow.v),
        gauss_newton_vector_product(wide.outputs, wide.loss_of, wide.parameters, wide.v));
  close({jvp(narrow.outputs, narrow.parameters, narrow.v).tangent},
        {jvp(wide.outputs, wide.parameters, wide.v).tangent});
}

TEST_CASE("the third order of an unrolled LSTM is the difference of the second") {
  for (Network network : {Network::plain, Network::lengths, Network::bidirectional}) {
    CAPTURE(static_cast<int>(network));
    LstmSubject s(network);
    const Tensor difference =
        s.difference([&] { return flat(hessian_vector_product(s.as_loss(), s.parameters, s.w)); });
    CHECK(relative_difference(flat(third_order(s)), difference) < 1e-7);
  }
}

TEST_CASE("tangents of tangents are the second derivative, and can be differentiated in reverse") {
  LstmSubject s(Network::plain);
  Tape tape;
  const std::vector<Variable> at(s.parameters.begin(), s.parameters.end());
  const std::vector<Variable> v(s.v.begin(), s.v.end()), w(s.w.begin(), s.w.end());
  const Variable slope = tape.tangent({s.loss()}, at, v, {.create_graph = true})[0];
  const Variable curvature = tape.tangent({slope}, at, w, {.create_graph = true})[0];
  const Tensors hv = hessian_vector_product(s.as_loss(), s.parameters, s.v);
  CHECK(curvature.item() == doctest::Approx(dot(hv, s.w)).epsilon(1e-10));
  Tensors third;
  for (const Variable& g : tape.gradient(curvature, at))
    third.push_back(g.value().contiguous_copy());
  CHECK(relative_difference(flat(third), flat(third_order(s))) < 1e-10);
}

TEST_CASE("for linear outputs and a quadratic loss, Gauss-Newton is the Hessian") {
  Subject s;
  s.parameters = {Parameter("weight", random_tensor({4, 3}, 1)),
                  Parameter("bias", random_tensor({4}, 2))};
  const Variable x(random_tensor({6, 3}, 3)), y(random_tensor({6, 4}, 4));
  s.outputs = [&] { return linear(x, s.parameters[0], s.parameters[1]); };
  s.loss_of = [&](const Variable& z) { return mean(square(z - y)); };
  s.aim();
  const Tensor g = flat(gauss_newton_vector_product(s.outputs, s.loss_of, s.parameters, s.v));
  CHECK(relative_difference(g, flat(hessian_vector_product(s.as_loss(), s.parameters, s.v))) <
        1e-13);
}

TEST_CASE("tangents and third derivatives of operations are right") {
  const Indices order(std::vector<int>{2, 0, 2}), classes(std::vector<int>{1, 4, 0});
  const std::vector<std::pair<const char*, Function>> rows{
      {"gates", [](In x) { return sigmoid(x[0]) * x[1] + tanh(x[0]); }},
      {"broadcast", [](In x) { return square(x[0]) * slice(x[1], 0, 1, 1); }},
      {"column", [](In x) { return exp(x[0]) / (2 + slice(x[1], 1, 2, 1)); }},
      {"transposed", [](In x) { return sigmoid(transpose(x[0])) * transpose(x[1]); }},
      {"powers", [](In x) { return pow(2 + x[0], 1.5 + x[1]); }},
      {"activations", [](In x) { return gelu(x[0]) + silu(x[1]) + elu(x[0]) + softplus(x[1]); }},
      {"slopes", [](In x) { return leaky_relu(x[0], 0.1) * square(hardtanh(x[1], -0.5, 0.5)); }},
      {"masks", [](In x) { return where(greater(x[1], 0.1), square(x[0]), x[0] * x[1]); }},
      {"one value, many places", [](In x) { return x[0] * x[0] * x[1] * sin(x[0]); }},
      {"products", [](In x) { return matmul(x[0], transpose(sigmoid(x[1]))); }},
      {"product with itself", [](In x) { return matmul(x[0], transpose(x[0])) * sum(x[1]); }},
      {"softmax", [](In x) { return softmax(x[0]) * log_softmax(x[1]); }},
      {"reductions", [](In x) { return var(x[0], {0}) * norm(x[1], {0}) + mean(x[0] * x[1]); }},
      {"rows", [=](In x) { return take(tanh(x[0]), order) * x[1]; }},
      {"shapes",
       [](In x) {
         return square(concat({x[0], x[1] * x[0]}, 0));
       }},
      {"stack",
       [](In x) {
         return tanh(reshape(stack({x[0], x[1]}, 1), {-1}));
       }},
      {"norm", [](In x) { return layer_norm(x[0], x[1][0], x[1][1]); }},
      {"cross entropy", [=](In x) { return cross_entropy(x[0] * x[1], classes); }},
      {"running sum", [](In x) { return cumsum(exp(x[0]), 0) * x[1]; }},
      {"recurrence", [](In x) { return linear_recurrence(x[0], tanh(x[1]), 0); }},
      {"recurrence from a value",
       [](In x) { return linear_recurrence(tanh(x[0]), x[1], 1, exp(sum(x[0], {1}))); }},
      {"recurrence back from a value",
       [](In x) { return linear_recurrence(x[0], x[1], 0, x[0][1], Direction::reverse) * x[1]; }},
      {"recurrence of constants from a value",
       [](In x) {
         const Tensor half = Tensor::full({3, 5}, 0.5, DType::f64);
         return tanh(linear_recurrence(half, half, 0, square(x[0][1] * x[1][2])));
       }},
  };
  for (const auto& row : rows) {
    CAPTURE(row.first);
    const Function& f = row.second;
    Subject s;
    s.parameters = {Parameter("a", random_tensor({3, 5}, 11)),
                    Parameter("b", random_tensor({3, 5}, 12))};
    s.outputs = [&] { return f({s.parameters[0], s.parameters[1]}); };
    s.loss_of = [](const Variable& y) {
      const Variable weights(random_tensor(y.shape(), 13));
      return sum(y * weights);
    };
    s.aim();
    const Tensor tangent = jvp(s.outputs, s.parameters, s.v).tangent;
    CHECK(relative_difference(tangent, s.difference([&] { return s.outputs().value(); })) < 1e-7);
    const Tensors hv = hessian_vector_product(s.as_loss(), s.parameters, s.v);
    CHECK(relative_difference(flat(hv), s.difference([&] { return flat(gradient_of(s)); })) < 1e-7);
    const Tensor third =
        s.difference([&] { return flat(hessian_vector_product(s.as_loss(), s.parameters, s.w)); });
    CHECK(relative_difference(flat(third_order(s)), third) < 1e-6);
  }
}

TEST_CASE("functions of inputs have the same derivatives as functions of parameters") {
  const Tensor a = random_tensor({2, 3}, 1), b = random_tensor({3}, 2);
  const Tensors v{random_tensor({2, 3}, 3), random_tensor({3}, 4)};
  const std::vector<Parameter> p{Parameter("a", a), Parameter("b", b)};
  const Function f = [](In x) { return tanh(x[0]) * x[1]; };
  const auto of_p = [&]() -> Variable { return f({p[0], p[1]}); };
  const auto loss = [](const Variable& z) -> Variable { return sum(exp(z)); };
  const Tensor u = random_tensor({2, 3}, 5);
  CHECK(same_bits(jvp(f, {a, b}, v).tangent, jvp(of_p, p, v).tangent));
  CHECK(same_bits(flat(vjp(f, {a, b}, u).gradients), flat(vjp(of_p, p, u).gradients)));
  CHECK(same_bits(jacobian(f, {a, b}), jacobian(of_p, p)));
  CHECK(same_bits(flat(hessian_vector_product([&](In x) { return loss(f(x)); }, {a, b}, v)),
                  flat(hessian_vector_product([&] { return loss(of_p()); }, p, v))));
  CHECK(same_bits(flat(gauss_newton_vector_product(f, loss, {a, b}, v)),
                  flat(gauss_newton_vector_product(of_p, loss, p, v))));
}

TEST_CASE("a Jacobian is the same by rows and by columns") {
  const Tensor x = random_tensor({2}, 1);
  const Tensor tall = jacobian([](In in) { return exp(unsqueeze(in[0], 1) * 0.5) * in[0]; }, {x});
  REQUIRE(tall.shape() == Shape{4, 2});  // by columns
  for (Size n = 0; n < 8; ++n) {
    const Size i = n / 4, j = n / 2 % 2, k = n % 2;
    const double e = std::exp(0.5 * x.at(i));
    const double wanted = (i == k ? 0.5 * e * x.at(j) : 0) + (j == k ? e : 0);
    CHECK(tall.at(n) == doctest::Approx(wanted));
  }
  const Tensor wide = jacobian([](In in) { return sum(square(in[0])); }, {x});  // by rows
  CHECK(wide.shape() == Shape{1, 2});
  CHECK(wide.at(1) == doctest::Approx(2 * x.at(1)));
}

TEST_CASE("derivatives by what a function does not depend on are zeros; gradients are untouched") {
  Parameter used("used", random_tensor({3}, 1)), idle("idle", random_tensor({2, 2}, 2));
  {
    Tape tape;
    tape.backward(sum(square(Variable(used))));
  }
  const Tensor before = used.gradient().contiguous_copy();
  const Tensors v{random_tensor({3}, 3), random_tensor({2, 2}, 4)};
  const auto loss = [&]() -> Variable { return sum(exp(used)); };
  const Tensors h = hessian_vector_product(loss, {used, idle}, v);
  CHECK(same_bits(h[1], Tensor::zeros({2, 2}, DType::f64)));
  CHECK(h[0].at(2) == doctest::Approx(std::exp(used.value().at(2)) * v[0].at(2)));
  CHECK(same_bits(used.gradient(), before));
  CHECK(!idle.has_gradient());

  const auto constant = [] { return Variable(Tensor::full({}, 3.0, DType::f64)); };
  CHECK(dot(hessian_vector_product(constant, {used, idle}, v), v) == 0);
  CHECK(jvp(constant, {used, idle}, v).tangent.item() == 0);
  CHECK(jacobian(constant, {used}).at(0) == 0);
  const auto sums = [&] { return sum(used); };  // its gradient is constant
  CHECK(dot(hessian_vector_product(sums, {used, idle}, v), v) == 0);
}

TEST_CASE("the steps of a sequence that do not depend on the input have the tangent zero") {
  const Tensor x = random_tensor({2}, 1), v = random_tensor({2}, 2);
  const Function f = [](In in) {
    Sequence steps(3);
    steps.put(0, Tensor::full({2}, 5.0, DType::f64));
    steps.put(2, in[0] * in[0]);
    steps.put(1, Tensor::full({2}, 7.0, DType::f64));
    return steps.values();
  };
  const Tensor tangent = jvp(f, {x}, {v}).tangent;
  for (Size i = 0; i < 4; ++i) CHECK(tangent.at(i) == 0);
  CHECK(tangent.at(5) == doctest::Approx(2 * x.at(1) * v.at(1)));
}

TEST_CASE("a forward sweep that is not recorded leaves the tape as it was") {
  Tape tape;
  const Variable x = tape.watch(random_tensor({3}, 1)), v(random_tensor({3}, 2));
  const Variable y = softmax(x) * tanh(x);
  const Size before = tape.operations();
  const Variable tangent = tape.tangent({y}, {x}, {v})[0];
  CHECK(tape.operations() == before);
  CHECK(!tangent.recorded());
  CHECK(tape.tangent({y}, {x}, {Variable()})[0].value().at(0) == 0);
  CHECK(tape.gradient(sum(y), {x})[0].shape() == Shape{3});
}

}  // namespace
}  // namespace hindsight::test
