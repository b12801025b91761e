// Linear recurrent cells against plain loops that are written from the equations, in double.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

using Vector = std::vector<double>;
using Parts = std::vector<Vector>;
/// A step of one sequence: the input and the parts of the state, which it replaces -> the output.
using PlainStep = std::function<Vector(const Vector& x, Parts* state)>;

double sigma(double x) { return 1 / (1 + std::exp(-x)); }
double at(const Parameter& p, std::size_t i) { return p.value().at(static_cast<Size>(i)); }

/// Row `row` of a matrix times x.
double product(const Parameter& matrix, std::size_t row, const Vector& x) {
  double total = 0;
  for (std::size_t j = 0; j < x.size(); ++j) total += at(matrix, row * x.size() + j) * x[j];
  return total;
}

Vector row_of(const Tensor& t, Size row) {
  Vector result;
  for (Size i = 0; i < t.size(1); ++i) result.push_back(t.at(row * t.size(1) + i));
  return result;
}

double difference(const Vector& a, const Vector& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

/// Compares a network of one layer with plain loops, by scan and step by step.
template <class Network>
void check_values(Network& network, const PlainStep& step) {
  constexpr Size kSteps = 5, kBatch = 3;
  network.to(DType::f64);
  for (const Parameter& p : network.parameters()) {  // some of them start at zero
    const Tensor noise = random_tensor(p.shape(), 60, DType::f64, -0.2, 0.2);
    Parameter(p).assign(Variable(p + Variable(noise)).value());
  }
  const Tensor x = random_tensor({kSteps, kBatch, network.options().input}, 4);
  nn::State initial;
  for (const Size width : network.cell(0).state_sizes()) {
    initial.push_back(
        random_tensor({kBatch, width}, 30 + static_cast<std::uint64_t>(initial.size())));
  }
  for (const bool step_by_step : {false, true}) {
    INFO("step by step: ", step_by_step);
    const nn::Unrolled run =
        network(Variable(x), {.initial = {initial}, .step_by_step = step_by_step});
    double worst = 0;
    for (Size row = 0; row < kBatch; ++row) {
      Parts state;
      for (int k = 0; k < initial.size(); ++k) state.push_back(row_of(initial[k].value(), row));
      for (Size t = 0; t < kSteps; ++t) {
        const Vector output = step(row_of(Variable(x)[t].value(), row), &state);
        worst = std::max(worst, difference(row_of(run.outputs[t].value(), row), output));
      }
      for (int k = 0; k < initial.size(); ++k) {
        const Vector final = row_of(run.final[0][k].value(), row);
        worst = std::max(worst, difference(final, state[static_cast<std::size_t>(k)]));
      }
    }
    CHECK(worst < 1e-12);
  }
}

double g(double x) { return x >= 0 ? x + 0.5 : sigma(x); }

TEST_CASE("minGRU values") {
  Rng rng(2);
  for (const bool bias : {true, false}) {
    for (const bool positive : {true, false}) {
      nn::MinGru network({.input = 3, .hidden = 4}, rng,
                         nn::MinGruOptions{.bias = bias, .positive = positive});
      const nn::MinGruCell& cell = network.cell(0);
      check_values(network, [&](const Vector& x, Parts* state) {
        Vector& h = state->front();
        for (std::size_t u = 0; u < 4; ++u) {
          const double z = sigma(product(cell.weight_ih, u, x) + (bias ? at(cell.bias_ih, u) : 0));
          const double candidate =
              product(cell.weight_ih, 4 + u, x) + (bias ? at(cell.bias_ih, 4 + u) : 0);
          h[u] = (1 - z) * h[u] + z * (positive ? g(candidate) : candidate);
        }
        return h;
      });
    }
  }
}

TEST_CASE("minLSTM values") {
  Rng rng(2);
  nn::MinLstm network({.input = 3, .hidden = 4}, rng);
  const nn::MinLstmCell& cell = network.cell(0);
  check_values(network, [&](const Vector& x, Parts* state) {
    Vector& h = state->front();
    const auto affine = [&](std::size_t row) {
      return product(cell.weight_ih, row, x) + at(cell.bias_ih, row);
    };
    for (std::size_t u = 0; u < 4; ++u) {
      const double f = sigma(affine(u)), i = sigma(affine(4 + u));
      h[u] = f / (f + i) * h[u] + i / (f + i) * g(affine(8 + u));
    }
    return h;
  });
}

TEST_CASE("minLSTM gates that both round to zero still have the sum 1") {
  Rng rng(2);
  nn::MinLstm network({.input = 1, .hidden = 1}, rng);
  const Tensor bias = Tensor::zeros({3});
  bias.set(0, -200);
  bias.set(1, -200);
  bias.set(2, 1);
  Parameter(network.cell(0).bias_ih).assign(bias);
  const nn::Unrolled run = network(Variable(Tensor::zeros({1, 1, 1})));
  CHECK(run.outputs.value().at(0) == doctest::Approx(0.75));
}

/// A plain step of a SruCell with H = 4.
Vector sru_step(const nn::SruCell& cell, double alpha, const Vector& x, Parts* state) {
  Vector& c = state->front();
  Vector h(4);
  for (std::size_t u = 0; u < 4; ++u) {
    const double seen_f = cell.weight_c ? at(cell.weight_c, u) * c[u] : 0,
                 seen_r = cell.weight_c ? at(cell.weight_c, 4 + u) * c[u] : 0;
    const double f = sigma(product(cell.weight_ih, 4 + u, x) + seen_f + at(cell.bias, u)),
                 r = sigma(product(cell.weight_ih, 8 + u, x) + seen_r + at(cell.bias, 4 + u));
    c[u] = f * c[u] + (1 - f) * product(cell.weight_ih, u, x);
    const double skip = x.size() == 4 ? alpha * x[u] : product(cell.weight_ih, 12 + u, x);
    h[u] = r * c[u] + (1 - r) * skip;
  }
  return h;
}

TEST_CASE("SRU values") {
  Rng rng(2);
  for (const bool gates_see_state : {false, true}) {
    for (const Size input : {3, 4}) {
      for (const bool rescale : {false, true}) {
        INFO("input ", input, ", gates see the state ", gates_see_state, ", rescale ", rescale);
        nn::Sru network({.input = input, .hidden = 4}, rng,
                        nn::SruOptions{gates_see_state, -1.5, rescale});
        CHECK(network.cell(0).bias.value().at(4) == -1.5);
        const double alpha = rescale ? std::sqrt(1 + 2 * std::exp(-1.5)) : 1;
        check_values(network, [&](const Vector& x, Parts* state) {
          return sru_step(network.cell(0), alpha, x, state);
        });
      }
    }
  }
}

TEST_CASE("QRNN values") {
  Rng rng(2);
  for (const Size window : {1, 2}) {
    nn::Qrnn network({.input = 3, .hidden = 4}, rng, nn::QrnnOptions{.window = window});
    const nn::QrnnCell& cell = network.cell(0);
    check_values(network, [&](const Vector& x, Parts* state) {
      Vector &c = state->front(), h(4);
      const auto affine = [&](std::size_t row) {
        return product(cell.weight_ih, row, x) + at(cell.bias_ih, row) +
               (window == 2 ? state->back()[row] : 0);
      };
      for (std::size_t u = 0; u < 4; ++u) {
        const double f = sigma(affine(4 + u));
        c[u] = f * c[u] + (1 - f) * std::tanh(affine(u));
        h[u] = sigma(affine(8 + u)) * c[u];
      }
      for (std::size_t row = 0; window == 2 && row < 12; ++row)
        state->back()[row] = product(cell.weight_ih, 12 + row, x);
      return h;
    });
  }
}

TEST_CASE("LRU values") {
  Rng rng(2);
  for (const Size output : {0, 3}) {
    nn::Lru network({.input = 3, .hidden = 4}, rng, nn::LruOptions{.output = output});
    const nn::LruCell& cell = network.cell(0);
    check_values(network, [&](const Vector& x, Parts* state) {
      Vector &re = state->front(), &im = state->back();
      for (std::size_t u = 0; u < 4; ++u) {
        const double size = std::exp(-std::exp(at(cell.nu_log, u))),
                     angle = std::exp(at(cell.theta_log, u)),
                     gamma = std::exp(at(cell.gamma_log, u)), a = size * std::cos(angle),
                     b = size * std::sin(angle), old = re[u];
        re[u] = a * old - b * im[u] + gamma * product(cell.B_re, u, x);
        im[u] = a * im[u] + b * old + gamma * product(cell.B_im, u, x);
      }
      Vector y(output ? 3 : 4);
      for (std::size_t o = 0; o < y.size(); ++o) {
        const double skip = output ? at(cell.D, o) * x[o] : product(cell.D, o, x);
        y[o] = product(cell.C_re, o, re) - product(cell.C_im, o, im) + skip;
      }
      return y;
    });
  }
}

/// A plain step of an S6Cell with H = 4 and a map of rank r to delta.
Vector s6_step(const nn::S6Cell& cell, std::size_t n, std::size_t r, const Vector& x,
               Parts* state) {
  Vector &h = state->front(), u(4), all(r + 2 * n), y(4);
  for (std::size_t k = 0; k < 4; ++k) {
    const double pre = product(cell.in_proj.weight, k, x);
    u[k] = pre * sigma(pre);
  }
  for (std::size_t row = 0; row < all.size(); ++row) all[row] = product(cell.x_proj.weight, row, u);
  const Vector d(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(r));
  for (std::size_t k = 0; k < 4; ++k) {
    const double delta =
        std::log1p(std::exp(product(cell.dt_proj.weight, k, d) + at(cell.dt_proj.bias, k)));
    double total = at(cell.D, k) * u[k];
    for (std::size_t i = 0; i < n; ++i) {
      double& unit = h[i * 4 + k];
      unit =
          std::exp(-delta * std::exp(at(cell.A_log, k * n + i))) * unit + delta * u[k] * all[r + i];
      total += unit * all[r + n + i];
    }
    const double z = product(cell.in_proj.weight, 4 + k, x);
    y[k] = total * z * sigma(z);
  }
  return y;
}

TEST_CASE("S6 values") {
  Rng rng(2);
  for (const Size rank : {0, 2}) {
    nn::S6 network({.input = 3, .hidden = 4}, rng, nn::S6Options{.states = 5, .rank = rank});
    check_values(network, [&](const Vector& x, Parts* state) {
      return s6_step(network.cell(0), 5, rank ? 2 : 1, x, state);
    });
  }
}

}  // namespace
}  // namespace hindsight::test
