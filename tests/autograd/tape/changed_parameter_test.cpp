// A parameter that changes between its use on a tape and a sweep; allocations that fail when a tape
// first uses a parameter, and while a checkpoint is rerun.
#include "support.h"

namespace hindsight::test {
namespace {

const char* const kChanged =
    "parameter w was changed after the tape used it, so its derivatives can no longer be computed; "
    "change it after the sweep, or use a new tape";

TEST_CASE("a parameter changed before the sweep is named by every kind of sweep") {
  const Parameter w("w", Tensor::full({3}, 1, DType::f64)), other("other", w.value());
  const auto change = [&](int how) {
    Parameter changed = w;
    if (how == 0) {
      changed.assign(Tensor::full({3}, 10, DType::f64));
    } else {
      w.value().set(0, 5);
      changed.changed();
    }
  };
  const auto message = [](const char* op) { return op + std::string(": ") + kChanged; };
  for (int how = 0; how < 2; ++how) {
    Tape tape;
    const Variable x = w, y = other, loss = sum(x * x) + sum(y);
    change(how);
    CHECK(message_of<TapeError>([&] { tape.gradient(loss, {y}); }) == message("gradient"));
    CHECK(message_of<TapeError>([&] { tape.gradient(loss, {y}, {.create_graph = true}); }) ==
          message("gradient"));
    CHECK(message_of<TapeError>([&] { tape.tangent({loss}, {y}, {y}); }) == message("tangent"));
    CHECK(message_of<TapeError>([&] { tape.backward(loss); }) == message("backward"));
    CHECK_FALSE(w.has_gradient());
  }
  Tape tape;
  tape.backward(sum(Variable(w) * Variable(w)));
  CHECK(w.gradient().at(1) == 2 * w.value().at(1));
}

TEST_CASE("a parameter changed during the sweep is named, and no partial gradient remains") {
  const auto loss_of = [](const Parameter& w) {
    const Variable x = w;
    const Variable y = hook_gradient(x * x, [w](const Variable&) {
      Parameter changed = w;
      changed.assign(Tensor::full({3}, 10, DType::f64));
    });
    return Variable(sum(y * y));
  };
  Parameter w("w", Tensor::full({3}, 1, DType::f64));
  {
    Tape tape;
    const Variable loss = loss_of(w);
    CHECK(message_of<TapeError>([&] { tape.gradient(loss, {w}); }) ==
          std::string("gradient: ") + kChanged);
  }
  Tape tape;
  const Variable loss = loss_of(w);
  CHECK(message_of<TapeError>([&] { tape.backward(loss); }) ==
        std::string("backward: ") + kChanged);
  CHECK_FALSE(w.has_gradient());
}

TEST_CASE("a parameter changed between two sweeps of two tapes is used as it is") {
  Parameter w("w", Tensor::full({3}, 1, DType::f64));
  for (int step = 0; step < 3; ++step) {
    Tape tape;
    const double before = w.value().at(0);
    w.clear_gradient();
    tape.backward(sum(square(Variable(w))));
    CHECK(w.gradient().at(0) == 2 * before);
    w.assign(Tensor::full({3}, before + 1, DType::f64));
    tape.backward(sum(Variable(w)));  // the tape was consumed: this is its first use of w
    CHECK(w.gradient().at(0) == 2 * before + 1);
  }
}

TEST_CASE("allocations that fail when a tape first uses a parameter") {
  std::vector<Parameter> parameters;
  for (int i = 0; i < 40; ++i)
    parameters.emplace_back("p" + std::to_string(i), Tensor::full({2}, i, DType::f64));
  const auto loss_of = [&] {
    Variable loss(Tensor::zeros({2}, DType::f64));
    for (const Parameter& p : parameters) loss = loss + Variable(p) * Variable(p);
    return Variable(sum(loss));
  };
  bool failed = true;
  int failures = 0;
  for (int n = 0; failed; ++n) {
    failed = false;
    pool::trim();
    Tape tape;
    try {
      const FailingMemory from(n);
      loss_of();
    } catch (const std::bad_alloc&) {
      failed = true;
      ++failures;
    }
    for (const Parameter& p : parameters) Parameter(p).clear_gradient();
    tape.backward(loss_of());
    for (int i = 0; i < 40; ++i)
      CHECK(parameters[static_cast<std::size_t>(i)].gradient().at(0) == 2 * i);
    if (n > 2000) FAIL("memory does not stop failing");
  }
  if (FailingMemory::works()) CHECK(failures > 20);
}

TEST_CASE("allocations that fail while a checkpoint is rerun leave no trace") {
  const Parameter p("p", random_tensor({3}, 1));
  Tape tape;
  const Variable x = p, a = tanh(x), y = sum(square(a));
  const auto inner = [a](In in) { return Variable(in[0] * a + cos(a)); };
  const Variable c = checkpoint([inner](In in) { return checkpoint(inner, {sin(in[0])}); }, {x});
  const Variable looked = hook_gradient(a, [&](const Variable&) { tape.gradient(y, {a}); });
  const Variable loss = sum(c) + sum(looked * a) + y;
  const Tensor wanted = tape.gradient(loss, {x})[0].value().contiguous_copy();
  bool failed = true;
  int failures = 0;
  for (int n = 0; failed; ++n) {
    failed = false;
    pool::trim();
    try {
      const FailingMemory from(n);
      tape.gradient(loss, {x});
    } catch (const std::bad_alloc&) {
      failed = true;
      ++failures;
    }
    CHECK(same_bits(tape.gradient(loss, {x})[0].value(), wanted));
    if (n > 2000) FAIL("memory does not stop failing");
  }
  if (FailingMemory::works()) CHECK(failures > 20);
}

}  // namespace
}  // namespace hindsight::test
