// A sweep of a tape within another sweep of the same tape: from gradient hooks, from checkpointed
// functions that are rerun, in forward mode.
#include <optional>

#include "support.h"

namespace hindsight::test {
namespace {

const Tensor kStart = random_tensor({3, 4}, 1), kWeight = random_tensor({4, 4}, 2);

/// How the gradient of the loss is computed.
enum class How { gradient, backward, recorded };

/// Gradients of `loss` by p and w.
std::vector<Tensor> gradients_of(Tape& tape, const Variable& loss, const Parameter& p,
                                 const Parameter& w, How how) {
  if (how == How::backward) {
    tape.backward(loss);
    return {p.gradient().contiguous_copy(), w.gradient().contiguous_copy()};
  }
  std::vector<Tensor> result;
  for (const Variable& g : tape.gradient(loss, {p, w}, {.create_graph = how == How::recorded}))
    result.push_back(g.value().contiguous_copy());
  CHECK_FALSE(p.has_gradient());
  CHECK_FALSE(w.has_gradient());
  return result;
}

/// A loss with products by a parameter, a sequence and a hook in its midst; `look` runs in the
/// hook.
struct Hooked {
  Parameter p{"p", kStart}, w{"w", kWeight};
  Tape tape;
  std::vector<Variable> leaves{p, w};
  Variable early;  // a scalar that is computed before the hook
  Variable loss;

  template <class Look>
  explicit Hooked(const Look& look) {
    Sequence s(3);
    Variable h = p;
    for (Size t = 0; t < 3; ++t) {
      h = s.put(t, tanh(matmul(h, w) + h));
      if (t == 0) early = sum(square(h)) + sum(matmul(Variable(p), w));
      if (t == 1) h = hook_gradient(h, [look, this](const Variable& g) { look(*this, g); });
    }
    loss = sum(square(s.values())) + early * 3.0 + sum(matmul(h, w));
  }
};

TEST_CASE("a hook computes another gradient of the same tape") {
  for (const How how : {How::gradient, How::backward, How::recorded}) {
    Hooked plain([](Hooked&, const Variable&) {});
    const auto wanted = gradients_of(plain.tape, plain.loss, plain.p, plain.w, how);
    Hooked alone([](Hooked&, const Variable&) {});
    const auto wanted_look = gradients_of(alone.tape, alone.early, alone.p, alone.w, How::gradient);
    for (const bool create_graph : {false, true}) {
      int looks = 0;
      Hooked looking([&](Hooked& self, const Variable&) {
        ++looks;
        const auto seen =
            self.tape.gradient(self.early, self.leaves, {.create_graph = create_graph});
        for (std::size_t i = 0; i < 2; ++i)
          CHECK(relative_difference(seen[i].value(), wanted_look[i]) < 1e-14);
      });
      const auto got = gradients_of(looking.tape, looking.loss, looking.p, looking.w, how);
      CHECK(looks == 1);
      for (std::size_t i = 0; i < 2; ++i) CHECK(relative_difference(got[i], wanted[i]) < 1e-14);
    }
  }
}

TEST_CASE("a hook computes a tangent of the same tape") {
  Hooked plain([](Hooked&, const Variable&) {});
  const auto wanted = gradients_of(plain.tape, plain.loss, plain.p, plain.w, How::gradient);
  Hooked looking([&](Hooked& self, const Variable&) {
    const Variable slope = self.tape.tangent({self.loss}, {self.leaves[0]}, {Variable(kStart)})[0];
    CHECK(slope.item() == doctest::Approx(sum(Variable(kStart) * Variable(wanted[0])).item()));
  });
  const auto got = gradients_of(looking.tape, looking.loss, looking.p, looking.w, How::gradient);
  for (std::size_t i = 0; i < 2; ++i) CHECK(relative_difference(got[i], wanted[i]) < 1e-14);
}

TEST_CASE("a sweep within a sweep that throws leaves the outer one as it was") {
  Hooked plain([](Hooked&, const Variable&) {});
  const auto wanted = gradients_of(plain.tape, plain.loss, plain.p, plain.w, How::backward);
  Hooked looking([&](Hooked& self, const Variable&) {
    CHECK(message_of<Error>([&] {
            const Tape::Current recording(&self.tape);
            const Variable seen =
                hook_gradient(self.early, [](const Variable&) { fail("stopped"); });
            self.tape.gradient(seen, self.leaves);
          }) == "stopped");
  });
  const auto got = gradients_of(looking.tape, looking.loss, looking.p, looking.w, How::backward);
  for (std::size_t i = 0; i < 2; ++i) CHECK(relative_difference(got[i], wanted[i]) < 1e-14);
}

TEST_CASE("a hook within backward sees the gradient of an earlier state of a sequence") {
  Parameter p("p", kStart);
  Tape tape;
  Sequence states(3);
  Tensor seen;
  const Variable x = p;
  const Variable first = states.put(0, square(x));
  const Variable looked = hook_gradient(first, [&](const Variable&) {
    const Variable ones(Tensor::full(first.shape(), 1, DType::f64));
    seen = tape.gradient({first}, {x}, {.cotangents = {ones}})[0].value();
  });
  const Variable second = states.put(1, tanh(looked));
  states.put(2, tanh(second));
  tape.backward(sum(square(states.values())));
  CHECK(relative_difference(seen, Variable(2 * Variable(kStart)).value()) < 1e-14);
}

TEST_CASE("what cannot work within a sweep throws TapeError") {
  SUBCASE("backward in a hook") {
    for (const How how : {How::gradient, How::backward, How::recorded}) {
      Hooked hooked([](Hooked& self, const Variable&) { self.tape.backward(self.early); });
      CHECK(
          message_of<TapeError>(
              [&] { gradients_of(hooked.tape, hooked.loss, hooked.p, hooked.w, how); }) ==
          "backward: it cannot be called within a sweep of the same tape or within a checkpoint, "
          "because it would free operations that are still needed; call gradient(), or record on a "
          "separate tape");
      CHECK_FALSE(hooked.p.has_gradient());
    }
  }
  SUBCASE("a gradient that leads through the hook itself") {
    for (const How how : {How::gradient, How::recorded}) {
      Hooked hooked(
          [](Hooked& self, const Variable&) { self.tape.gradient(self.loss, self.leaves); });
      CHECK(
          message_of<TapeError>(
              [&] { gradients_of(hooked.tape, hooked.loss, hooked.p, hooked.w, how); }) ==
          "hook_gradient: a derivative requested within the backward of this operation depends on "
          "the operation itself");
    }
  }
  SUBCASE("the gradient of something whose operations are used up") {
    Hooked hooked(
        [](Hooked& self, const Variable&) { self.tape.gradient(self.loss, self.leaves); });
    CHECK(message_of<TapeError>([&] { hooked.tape.backward(hooked.loss); }) ==
          "gradient: output 0 was computed after the operation that is being swept; backward() has "
          "already freed the operations that computed it");
  }
  SUBCASE("backward in the function of a checkpoint") {
    Parameter p("p", kStart);
    Tape tape;
    CHECK(message_of<TapeError>([&] {
            checkpoint(
                [&](In in) {
                  Variable y = sum(square(in[0]));
                  tape.backward(y);
                  return y;
                },
                {Variable(p)});
          }).find("backward: it cannot be called within") == 0);
    tape.backward(sum(Variable(p)));
    CHECK(p.gradient().at(0) == 1);
  }
}

/// A gradient penalty: the square of how y = sum(tanh(x w)) changes with x.
Variable penalty(const Variable& x, const Parameter& w) {
  const Variable y = sum(tanh(matmul(x, w)));
  return sum(square(Tape::current()->gradient(y, {x}, {.create_graph = true})[0]));
}

/// The penalty of a value that much else depends on, in a checkpoint or not.
Variable penalised(const Parameter& p, const Parameter& w, bool check) {
  const Variable a = tanh(Variable(p));
  const auto f = [&w](In in) { return penalty(in[0], w); };
  const Variable c = check ? checkpoint(f, {a}) : f({a});
  return c * c + sum(square(a)) + sum(softmax(matmul(a, w)) * c);
}

TEST_CASE("a gradient penalty within a checkpoint") {
  const Parameter p("p", kStart), w("w", kWeight);
  std::vector<std::vector<Tensor>> results;
  std::vector<double> slopes;
  for (const bool check : {false, true}) {
    for (const How how : {How::gradient, How::backward, How::recorded}) {
      Parameter q("p", kStart), v("w", kWeight);
      Tape tape;
      results.push_back(gradients_of(tape, penalised(q, v, check), q, v, how));
    }
    Tape tape;
    const Variable loss = penalised(p, w, check);
    slopes.push_back(tape.tangent({loss}, {p}, {Variable(kStart)})[0].item());
  }
  for (const auto& result : results) {
    for (std::size_t i = 0; i < 2; ++i)
      CHECK(relative_difference(result[i], results[0][i]) < 1e-12);
  }
  CHECK(slopes[0] == doctest::Approx(slopes[1]).epsilon(1e-12));
  const Variable along = sum(Variable(results[0][0]) * Variable(kStart));
  CHECK(slopes[0] == doctest::Approx(along.item()).epsilon(1e-12));
  const auto at = [&](double step) {
    const Parameter moved("p", Variable(Variable(kStart) * (1 + step)).value());
    const Tape tape;
    return penalised(moved, w, true).item();
  };
  CHECK(slopes[0] == doctest::Approx((at(1e-6) - at(-1e-6)) / 2e-6).epsilon(1e-8));
}

TEST_CASE("gradient penalties on the states of a sequence, each step in a checkpoint") {
  constexpr Size kSteps = 24;  // if the time doubled with each step, this would never end
  const auto loss_of = [](const Variable& p, const Parameter& w, bool check) {
    Sequence s(kSteps);
    Variable h = p, total(Tensor::zeros({}, DType::f64));
    const auto step = [&w](In in) {
      return std::vector<Variable>{Variable(tanh(matmul(in[0], w) + softmax(in[0]))),
                                   penalty(in[0], w)};
    };
    for (Size t = 0; t < kSteps; ++t) {
      const auto results = check ? checkpoint(step, {h}) : step({h});
      h = s.put(t, results[0]);
      total = total + results[1];
    }
    return Variable(total + sum(square(s.values())));
  };
  std::optional<std::vector<Tensor>> wanted;
  for (const bool check : {false, true}) {
    for (const How how : {How::gradient, How::backward, How::recorded}) {
      const Parameter p("p", kStart), w("w", kWeight);
      Tape tape;
      const auto got = gradients_of(tape, loss_of(p, w, check), p, w, how);
      if (!wanted) wanted = got;
      for (std::size_t i = 0; i < 2; ++i) CHECK(relative_difference(got[i], (*wanted)[i]) < 1e-11);
    }
    const Parameter p("p", kStart), w("w", kWeight);
    Tape tape;
    const Variable slope = tape.tangent({loss_of(p, w, check)}, {p}, {Variable(kStart)})[0];
    const Variable along = sum(Variable((*wanted)[0]) * Variable(kStart));
    CHECK(slope.item() == doctest::Approx(along.item()).epsilon(1e-11));
  }
}

}  // namespace
}  // namespace hindsight::test
