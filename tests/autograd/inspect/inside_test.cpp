// Looking inside: the tape as a table and as data, the profile, and Graphviz text.
#include <hindsight/nn/nn.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "support.h"

namespace hindsight::test {
namespace {

struct Model : nn::Module {
  explicit Model(Rng& rng)
      : rnn(child("encoder", nn::Lstm({.input = 2, .hidden = 3}, rng))),
        readout(child("readout", nn::Linear({.inputs = 3, .outputs = 2}, rng))) {}
  nn::Lstm rnn;
  nn::Linear readout;

  Variable loss(Size steps) {
    const Variable x(random_tensor({steps, 4, 2}, 1, DType::f32));
    return sum(square(readout(rnn(x).outputs)));
  }
};

Size occurrences(const std::string& text, const std::string& part) {
  Size count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

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

TEST_CASE("profile: forward and backward of each operation, by place, also after the sweep") {
  Rng rng(1);
  Model model(rng);
  model.loss(5);
  Profile profile;
  {
    Tape tape;
    const Variable loss = model.loss(20);
    double traced = 0;
    for (const TraceRow& row : trace(tape).rows) {
      CHECK(row.seconds > 0);
      traced += row.seconds;
    }
    CHECK(std::abs(traced - profile.total().forward) < 1e-9);
    CHECK(trace(tape).to_string().find("forward ms") != std::string::npos);
    CHECK(profile.total().count == tape.operations());
    CHECK(profile.total().backward == 0);
    tape.backward(loss);
  }
  const Profile::Row total = profile.total();
  CHECK(total.backward > 0);
  bool weights = false;
  for (const Profile::Row& row : profile.rows()) {
    weights = weights || (row.op == "weight gradient" && row.place == "encoder.weight_hh_l0");
    if (row.op == "put_step") {
      CHECK(row.place == "encoder, layer 0, each time step");
      CHECK(row.count == 20);
      CHECK(row.swept == 20);
      CHECK(row.bytes == 20 * 4 * 3 * 4);
    }
  }
  CHECK(weights);
  const std::string text = profile.to_string();
  CHECK(text.find("backward ms") != std::string::npos);
  CHECK(occurrences(text, "\n") == static_cast<Size>(profile.rows().size()) + 4);
  profile.clear();
  CHECK(profile.rows().empty());
}

TEST_CASE("profile: only what runs while it is active; a checkpoint's second run counts too") {
  const Parameter w("w", random_tensor({3}, 1));
  Tape tape;
  const Variable before = exp(w);
  Variable loss;
  {
    Profile profile;
    loss = sum(checkpoint([&](In in) { return tanh(in[0]); }, {before}));
    CHECK(trace(tape).rows[0].seconds == 0);  // before the profile
    tape.backward(loss);
    for (const Profile::Row& row : profile.rows()) {
      if (row.op == "tanh") CHECK((row.count == 2 && row.swept == 1));
      if (row.op == "exp") CHECK((row.count == 0 && row.swept == 1));
    }
  }
  CHECK(Profile::current() == nullptr);
}

/// An attempt at `dot`, where it is installed.
void check_with_graphviz(const std::string& text) {
  static const bool installed = std::system("dot -V >/dev/null 2>&1") == 0;
  if (!installed) return;
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "hindsight_dot_test";
  std::ofstream(path) << text;
  CHECK(std::system(("dot -Tsvg " + path.string() + " >/dev/null 2>&1").c_str()) == 0);
  std::filesystem::remove(path);
}

TEST_CASE("dot: parameters, inputs, constants, operations and modules") {
  const Parameter w("w", random_tensor({2, 3}, 1));
  Tape tape;
  const Variable x = tape.watch(random_tensor({4, 2}, 2));
  const Variable unused = exp(x);
  Variable y;
  {
    const Scope scope("decoder");
    const Scope step(TimeStep{3});
    y = tanh(matmul(x, w) + Variable(random_tensor({3}, 3)));
  }
  const std::string text = to_dot(sum(y));
  CHECK(text ==
        "digraph {\n"
        "  node [shape=ellipse];\n"
        "  leaf1 [shape=box, style=solid, label=\"input\\n(4, 2)\"];\n"
        "  leaf2 [shape=box, style=filled, label=\"w\\n(2, 3)\"];\n"
        "  leaf4 [shape=box, style=dotted, label=\"constant\\n(3,)\"];\n"
        "  op5 [label=\"sum\\n()\"];\n"
        "  subgraph cluster_0 {\n"
        "    label=\"decoder\";\n"
        "    subgraph cluster_1 {\n"
        "      label=\"time step 3\";\n"
        "      op0 [label=\"matmul\\n(4, 3)\"];\n"
        "      op3 [label=\"tanh\\n(4, 3)\"];\n"
        "    }\n"
        "  }\n"
        "  leaf1 -> op0;\n"
        "  leaf2 -> op0;\n"
        "  op0 -> op3;\n"
        "  leaf4 -> op3;\n"
        "  op3 -> op5;\n"
        "}\n");
  check_with_graphviz(text);
  CHECK(occurrences(to_dot(x), "input") == 1);
  CHECK(occurrences(to_dot(x.detach()), "constant") == 1);
  CHECK(message_of<Error>([] { to_dot(Variable()); }) == "to_dot: the output is an empty Variable");
}

TEST_CASE("dot: time steps side by side, or folded into one") {
  Rng rng(1);
  Model model(rng);
  Tape tape;
  const Variable loss = model.loss(30);
  const std::string text = to_dot(loss), folded = to_dot(loss, {.fold_time = true});
  CHECK(occurrences(text, "label=\"time step ") == 30);
  CHECK(occurrences(text, "dashed") == 0);
  CHECK(occurrences(folded, "label=\"time steps 0 to 29\"") == 1);
  CHECK(occurrences(folded, "time step ") == 0);
  CHECK(occurrences(folded, "style=dashed, label=\"t-1\"") == 2);  // h to the product, c to c
  CHECK(occurrences(folded, " [label=") == 9);                     // operations
  check_with_graphviz(text);
  check_with_graphviz(folded);
  // A longer sequence is the same picture.
  Tape longer;
  const std::string other = to_dot(model.loss(60), {.fold_time = true});
  CHECK(std::regex_replace(folded, std::regex("29|30|120"), "N") ==
        std::regex_replace(other, std::regex("59|60|240"), "N"));
}

TEST_CASE("dot: a step of a sequence depends only on the steps before it") {
  Rng rng(1);
  Model model(rng);
  Tape tape;
  const Variable outputs = model.rnn(Variable(random_tensor({10, 4, 2}, 1, DType::f32))).outputs;
  CHECK(occurrences(to_dot(outputs[3]), "put_step") == 4);
  CHECK(occurrences(to_dot(outputs), "put_step") == 10);
}

TEST_CASE("dot: any name is drawn as it is") {
  const std::string name = "a\"b\\c\nd\\n<e>{f|g}&amp; \t\x01 \xff end\\";
  const Parameter w(name, random_tensor({2}, 1));
  Tape tape;
  Variable y;
  {
    const Scope scope(name);
    y = exp(w);
  }
  const std::string text = to_dot(y);
  CHECK(text.find("a\\\"b\\\\c\\nd\\\\n<e>{f|g}&amp;amp; ") != std::string::npos);
  CHECK(text.find('\x01') == std::string::npos);
  CHECK(text.find("end\\\\\"") != std::string::npos);
  check_with_graphviz(text);
}

}  // namespace
}  // namespace hindsight::test
