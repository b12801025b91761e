// The tape as a table and as data.
#include "autograd/inspect/small_model.h"

namespace hindsight::test {
namespace {

TEST_CASE("trace: every operation with its place, shapes and bytes") {
  const Parameter w("w", random_tensor({2, 3}, 1));
  Tape tape;
  CHECK(trace(tape).rows.empty());
  const Variable x = tape.watch(random_tensor({4, 2}, 2));
  Variable y, z;
  {
    const Scope scope("decoder");
    const Scope step(TimeStep{3});
    y = matmul(x, w);
    z = tanh(y * 2);
  }
  const Trace t = trace(tape);
  REQUIRE(t.rows.size() == 2);
  CHECK(t.rows[0].op == "matmul");
  CHECK(t.rows[0].place == "decoder, time step 3");
  CHECK(t.rows[0].inputs == std::vector<Shape>{{4, 2}, {2, 3}});
  CHECK(t.rows[0].output == Shape{4, 3});
  CHECK(t.rows[0].count == 1);
  CHECK(t.rows[0].bytes == 8 * (4 * 2 + 4 * 3));  // x, which nothing computes, and the product
  CHECK(t.rows[1].op == "tanh");
  CHECK(t.rows[1].bytes == 2 * 8 * 4 * 3 + 32);  // the result; a saved value in whole vectors
  CHECK(t.rows[1].seconds == 0);
  CHECK(t.total().bytes == t.rows[0].bytes + t.rows[1].bytes);
  CHECK(t.total().count == 2);
  y = {};  // backward does not read it
  CHECK(trace(tape).rows[0].bytes == 8 * 4 * 2);
  CHECK(t.to_string() ==
        "operation  place                 inputs -> output         bytes\n"
        "---------------------------------------------------------------\n"
        "matmul     decoder, time step 3  (4, 2) (2, 3) -> (4, 3)    160\n"
        "tanh       decoder, time step 3  (4, 3) -> (4, 3)           224\n"
        "---------------------------------------------------------------\n"
        "total                            2 operations               384\n");
}

TEST_CASE("trace: time steps fold into a row for each operation of a part of the model") {
  Rng rng(1);
  Model model(rng);
  Tape tape;
  const Variable loss = model.loss(40);
  const Trace all = trace(tape), folded = trace(tape, {.fold_time = true});
  CHECK(static_cast<Size>(all.rows.size()) == tape.operations());
  CHECK(folded.rows.size() < 12);
  CHECK(folded.total().count == all.total().count);
  CHECK(folded.total().bytes == all.total().bytes);
  for (const TraceRow& row : folded.rows) {
    if (row.op == "put_step") {
      CHECK(row.count == 40);
      CHECK(row.place == "encoder, layer 0, each time step");
      CHECK(row.bytes == 40 * 4 * 3 * 4);
    }
  }
  // Nothing is counted twice: the tape cannot hold more than is allocated from the pool.
  CHECK(all.total().bytes < pool::statistics().bytes_in_use);
}

}  // namespace
}  // namespace hindsight::test
