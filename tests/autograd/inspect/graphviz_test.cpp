// The tape as Graphviz text.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>

#include "autograd/inspect/small_model.h"

namespace hindsight::test {
namespace {

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
