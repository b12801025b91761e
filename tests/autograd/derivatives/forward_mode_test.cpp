// Forward mode through recurrent functions whose carried state is read by operations that need its
// value: the state was released, and is recomputed from sequences that several operations fill.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

struct Named {
  const char* name;
  Variable (*reads)(const Variable& h);
};

Variable normalised(const Variable& h) {
  const Tensor one = Tensor::full({h.size(-1 + h.rank())}, 1, h.dtype());
  return layer_norm(h, one, Tensor::zeros(one.shape(), h.dtype()));
}

// Operations without their own forward rule: their recorded backward is transposed.
const Named kReaders[] = {
    {"softmax", [](const Variable& h) { return softmax(h); }},
    {"log_softmax", [](const Variable& h) { return log_softmax(h); }},
    {"cumsum", [](const Variable& h) { return cumsum(h, -1); }},
    {"logcumsumexp", [](const Variable& h) { return logcumsumexp(h, -1); }},
    {"layer_norm", [](const Variable& h) { return normalised(h); }},
    {"max", [](const Variable& h) { return Variable(h * max(h, {-1}, KeepDims::yes)); }},
    {"product of two states", [](const Variable& h) { return matmul(h, matmul(transpose(h), h)); }},
};

constexpr Size kSteps = 4, kBatch = 2, kHidden = 4;

Variable zeros() { return Variable(Tensor::zeros({kBatch, kHidden}, DType::f64)); }

/// How the steps of a sequence are put, and which part of it the function returns.
struct Form {
  const char* name;
  Variable (*run)(const Variable& x, const Named& reader);
};
const Form kForms[] = {
    {"the last state",
     [](const Variable& x, const Named& reader) {
       Sequence s(kSteps);
       Variable h = zeros();
       for (Size t = 0; t < kSteps; ++t) h = s.put(t, tanh(x[t] + reader.reads(h)));
       return Variable(tanh(h));
     }},
    {"all states",
     [](const Variable& x, const Named& reader) {
       Sequence s(kSteps);
       Variable h = zeros();
       for (Size t = 0; t < kSteps; ++t) h = s.put(t, tanh(x[t] + reader.reads(h)));
       return Variable(tanh(s.values()));
     }},
    {"backward in time",
     [](const Variable& x, const Named& reader) {
       Sequence s(kSteps);
       Variable h = zeros();
       for (Size t = kSteps - 1; t >= 0; --t) h = s.put(t, tanh(x[t] + reader.reads(h)));
       return Variable(tanh(s.values()));
     }},
    {"two layers, step by step",
     [](const Variable& x, const Named& reader) {
       Sequence lower(kSteps), upper(kSteps);
       Variable h = zeros(), g = zeros();
       for (Size t = 0; t < kSteps; ++t) {
         h = lower.put(t, tanh(x[t] + sigmoid(h) + sin(g)));
         g = upper.put(t, tanh(h + reader.reads(g)));
       }
       return Variable(sigmoid(g) * tanh(lower.values()));
     }},
    {"a state before the last is read",
     [](const Variable& x, const Named& reader) {
       Sequence s(kSteps);
       Variable h = zeros(), before = zeros();
       for (Size t = 0; t < kSteps; ++t) {
         const Variable next = s.put(t, tanh(x[t] + h * reader.reads(before)));
         before = h;
         h = next;
       }
       return Variable(tanh(h));
     }},
};

/// Compares the tangent with differences, and its own tangent and gradient with the second order.
void check_forward(const Function& f, const Shape& shape) {
  const Tensor x = random_tensor(shape, 3), v = random_tensor(shape, 4),
               w = random_tensor(shape, 5);
  const auto at = [&](double step) {
    Variable moved = Variable(x) + Variable(v) * step;
    return f({moved}).value().contiguous_copy();
  };
  constexpr double kStep = 1e-6;
  const Tensor difference =
      Variable((Variable(at(kStep)) - Variable(at(-kStep))) / (2 * kStep)).value();
  CHECK(relative_difference(jvp(f, {x}, {v}).tangent, difference) < 1e-7);

  const InputFunction loss = [&](In in) { return Variable(sum(square(f(in)))); };
  const Tensor hv = hessian_vector_product(loss, {x}, {v})[0];
  Tape tape;
  const Variable in = tape.watch(x);
  const Variable slope = tape.tangent({loss({in})}, {in}, {v}, {.create_graph = true})[0];
  const Variable curvature = tape.tangent({slope}, {in}, {w})[0];
  CHECK(curvature.item() == doctest::Approx(sum(Variable(hv) * Variable(w)).item()).epsilon(1e-10));
  const Variable loss_again = loss({in});
  const Variable g = tape.gradient(loss_again, {in}, {.create_graph = true})[0];
  CHECK(relative_difference(tape.tangent({g}, {in}, {v})[0].value(), hv) < 1e-10);
}

TEST_CASE("tangents through operations that read a released state") {
  for (const Named& reader : kReaders) {
    for (const Form& form : kForms) {
      INFO(std::string(reader.name), ", ", std::string(form.name));
      check_forward([&](In in) { return form.run(in[0], reader); }, {kSteps, kBatch, kHidden});
    }
  }
}

TEST_CASE("functions that are flat everywhere are constants in tangents") {
  // The derivative of pow(x, 3) has an exponent that is 2 except at x = 0. The derivative by this
  // exponent is NaN at x < 0.
  const Function cube = [](In in) { return pow(in[0], 3); };
  const Function product = [](In in) { return Variable(pow(1.7, in[0]) * pow(in[0], 3)); };
  const Function chosen = [](In in) {
    return Variable(where(greater(in[0], 0.1), sqrt(abs(in[0])), sin(in[0])));
  };
  for (const Function& f : {cube, product, chosen}) check_forward(f, {3, 5});
}

/// A user's cell that normalises its state.
struct NormalisedCell : nn::Cell {
  Parameter w, u, gain, bias;
  Size hidden;
  NormalisedCell(Size input, Size hidden_size, Rng& rng) : hidden(hidden_size) {
    w = parameter("w", nn::init::uniform({input, hidden}, 1, rng));
    u = parameter("u", nn::init::uniform({hidden, hidden}, 1, rng));
    gain = parameter("gain", nn::init::constant({hidden}, 1.5));
    bias = parameter("bias", nn::init::zeros({hidden}));
  }
  Variable project(const Variable& x) const override { return matmul(x, w); }
  nn::State step(const Variable& px, const nn::State& s) const override {
    return {tanh(px + matmul(layer_norm(s[0], gain, bias), u))};
  }
  nn::Widths state_sizes() const override { return {hidden}; }
};

TEST_CASE("tangents of a network of a user's cell that normalises its state") {
  Rng rng{7};
  nn::Recurrent<NormalisedCell> rnn({.input = 3, .hidden = 4, .layers = 2, .bidirectional = true},
                                    rng);
  rnn.to(DType::f64);
  const nn::UnrollOptions plain, lengths{.lengths = {4, 2}}, checkpoints{.checkpoint_every = 2},
      last{.final_only = true};
  for (const nn::UnrollOptions* options : {&plain, &lengths, &checkpoints, &last}) {
    check_forward([&](In in) { return Variable(tanh(rnn(in[0], *options).final[1][0])); },
                  {kSteps, kBatch, 3});
    if (options->final_only) continue;
    check_forward([&](In in) { return Variable(tanh(rnn(in[0], *options).outputs)); },
                  {kSteps, kBatch, 3});
  }
}

}  // namespace
}  // namespace hindsight::test
