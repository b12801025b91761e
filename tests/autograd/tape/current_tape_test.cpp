// Which tape is current, whatever the order and the thread in which tapes are destroyed.
#include <memory>
#include <thread>

#include "support.h"

namespace hindsight::test {
namespace {

TEST_CASE("a tape that replaces another in a loop is current in every round") {
  std::unique_ptr<Tape> tape;
  for (int round = 0; round < 3; ++round) {
    tape = std::make_unique<Tape>();
    CHECK(Tape::current() == tape.get());
    const Variable x = tape->watch(Tensor::full({2}, 3, DType::f64));
    const Variable loss = sum(square(x));
    CHECK(tape->gradient(loss, {x})[0].value().at(0) == 6);
  }
  tape.reset();
  CHECK(Tape::current() == nullptr);
}

TEST_CASE("tapes destroyed in the order of their construction") {
  auto first = std::make_unique<Tape>(), second = std::make_unique<Tape>();
  auto third = std::make_unique<Tape>();
  second.reset();
  CHECK(Tape::current() == third.get());
  third.reset();
  CHECK(Tape::current() == first.get());
  first.reset();
  CHECK(Tape::current() == nullptr);
}

TEST_CASE("pauses and tapes destroyed in any order") {
  auto tape = std::make_unique<Tape>();
  auto pause = std::make_unique<Tape::Pause>();
  CHECK(Tape::current() == nullptr);
  auto inner = std::make_unique<Tape>();
  CHECK(Tape::current() == inner.get());
  pause.reset();
  CHECK(Tape::current() == inner.get());
  inner.reset();
  CHECK(Tape::current() == tape.get());
  pause = std::make_unique<Tape::Pause>();
  tape.reset();
  CHECK(Tape::current() == nullptr);
  pause.reset();
  CHECK(Tape::current() == nullptr);
}

TEST_CASE("a tape that another thread destroys") {
  auto first = std::make_unique<Tape>(), second = std::make_unique<Tape>();
  Tape* const left = first.get();
  std::thread([ended = std::move(second)]() mutable {
    CHECK(Tape::current() == nullptr);
    const Tape own;
    ended.reset();
    CHECK(Tape::current() == &own);
  }).join();
  CHECK(Tape::current() == left);
}

TEST_CASE("a tape that outlives its thread") {
  std::unique_ptr<Tape> older, younger;
  std::thread([&] {
    older = std::make_unique<Tape>();
    younger = std::make_unique<Tape>();
    CHECK(Tape::current() == younger.get());
  }).join();
  CHECK(Tape::current() == nullptr);
  const Tape own;
  const Variable x = older->watch(Tensor::full({2}, 3, DType::f64));
  CHECK(older->gradient(x, {x}, {.cotangents = {x}})[0].value().at(0) == 3);
  older.reset();
  younger.reset();
  CHECK(Tape::current() == &own);
}

TEST_CASE("threads construct and destroy their own tapes") {
  const auto work = [] {
    for (int round = 0; round < 100; ++round) {
      auto first = std::make_unique<Tape>(), second = std::make_unique<Tape>();
      first.reset();
      const Variable x = second->watch(Tensor::full({2}, 3, DType::f64));
      const Variable loss = sum(square(x));
      if (second->gradient(loss, {x})[0].value().at(0) != 6) fail("another gradient");
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(Tape::current() == nullptr);
}

}  // namespace
}  // namespace hindsight::test
