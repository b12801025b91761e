// Tree-LSTMs: values against recursion over nodes, gradients, trees that are not.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

using nn::Tree;
using nn::TreeLstm;
using nn::TreeLstmOptions;
using nn::TreeStates;

constexpr Size kInput = 3, kHidden = 4;

/// A forest of three: one with leaves of different depths and nodes of one, two and three children,
/// a chain, and a single node.
Tree many_children() { return {{{}, {}, {1}, {}, {0, 2, 3}, {}, {4, 5}, {}, {7}, {8}, {}}}; }
Tree binary() { return {{{}, {}, {0, 1}, {}, {3, 2}, {}, {5}, {6, 4}, {}}}; }

/// The states of one node from those of its children.
struct PlainTree {
  const TreeLstm& lstm;
  const Tree& tree;
  const Tensor& x;
  Size arity;
  std::vector<Vector> h, c;

  /// Nodes come after their children.
  void run() {
    for (Size node = 0; node < tree.nodes(); ++node) step(node);
  }
  void step(Size node) {
    const std::vector<Size>& children = tree.children[static_cast<std::size_t>(node)];
    const Vector input = row_of(x, node);
    Vector read(static_cast<std::size_t>(std::max<Size>(1, arity) * kHidden), 0);
    for (std::size_t k = 0; k < children.size(); ++k) {
      for (Size u = 0; u < kHidden; ++u)
        read[(arity > 0 ? k * kHidden : 0) + static_cast<std::size_t>(u)] +=
            h[static_cast<std::size_t>(children[k])][static_cast<std::size_t>(u)];
    }
    h.emplace_back();
    c.emplace_back();
    for (Size u = 0; u < kHidden; ++u) {
      const auto gate = [&](Size block) {
        const Size row = block * kHidden + u;
        return affine(lstm.weight_ih, input, row, lstm.bias) + affine(lstm.weight_hh, read, row);
      };
      double total = sigma(gate(0)) * std::tanh(gate(2));
      for (std::size_t k = 0; k < children.size(); ++k) {
        const auto child = static_cast<std::size_t>(children[k]);
        double f = affine(lstm.weight_ih, input, 3 * kHidden + u, lstm.bias);
        f += arity > 0 ? affine(lstm.weight_fh, read, static_cast<Size>(k) * kHidden + u)
                       : affine(lstm.weight_fh, h[child], u);
        total += sigma(f) * c[child][static_cast<std::size_t>(u)];
      }
      c.back().push_back(total);
      h.back().push_back(sigma(gate(1)) * std::tanh(total));
    }
  }
};

TEST_CASE("Tree-LSTM values") {
  for (const Size arity : {0, 2, 3}) {
    Rng rng(2);
    TreeLstm lstm({.input = kInput, .hidden = kHidden, .arity = arity}, rng);
    randomize(lstm);
    const Tree tree = arity == 2 ? binary() : many_children();
    const Tensor x = random_tensor({tree.nodes(), kInput}, 1);
    const TreeStates states = lstm(Variable(x), tree);
    PlainTree plain{lstm, tree, x, arity, {}, {}};
    plain.run();
    double worst = 0;
    for (Size node = 0; node < tree.nodes(); ++node) {
      const Vector h = row_of(states.h.value(), node), c = row_of(states.c.value(), node);
      for (std::size_t u = 0; u < h.size(); ++u) {
        worst = std::max({worst, std::abs(h[u] - plain.h[static_cast<std::size_t>(node)][u]),
                          std::abs(c[u] - plain.c[static_cast<std::size_t>(node)][u])});
      }
    }
    CHECK(worst < 1e-14);
    const std::vector<Size> roots =
        arity == 2 ? std::vector<Size>{7, 8} : std::vector<Size>{6, 9, 10};
    REQUIRE(states.roots.shape() == Shape{static_cast<Size>(roots.size())});
    for (std::size_t i = 0; i < roots.size(); ++i)
      CHECK(states.roots[static_cast<Size>(i)] == roots[i]);
  }
}

TEST_CASE("Tree-LSTM gradients") {
  for (const Size arity : {0, 2, 3}) {
    Rng rng(2);
    TreeLstm lstm({.input = kInput, .hidden = kHidden, .arity = arity}, rng);
    randomize(lstm);
    const Tree tree = arity == 2 ? binary() : many_children();
    const Function f = [&](In x) {
      const TreeStates states = lstm(x[0], tree);
      return concat({states.h, states.c, take(states.h, states.roots)}, 0);
    };
    const std::vector<Tensor> inputs{random_tensor({tree.nodes(), kInput}, 1)};
    check_both_orders(f, inputs, lstm.parameters());
    check_float_like_double(f, inputs, lstm.parameters());
  }
}

TEST_CASE("a forest has the states of its trees") {
  Rng rng(2);
  TreeLstm lstm({.input = kInput, .hidden = kHidden}, rng);
  const std::vector<Tree> trees{many_children(), {{{}}}, binary()};
  const Tree together = nn::forest(trees);
  REQUIRE(together.nodes() == 21);
  CHECK(together.children[14] == std::vector<Size>{12, 13});
  const Variable x(random_tensor({21, kInput}, 1, DType::f32));
  const TreeStates all = lstm(x, together);
  Size first = 0;
  for (const Tree& tree : trees) {
    const TreeStates alone = lstm(slice(x, 0, first, tree.nodes()), tree);
    CHECK(relative_difference(slice(all.c, 0, first, tree.nodes()).value(), alone.c.value()) <
          1e-6);
    first += tree.nodes();
  }
}

TEST_CASE("children of a child-sum have no order, those of an N-ary do") {
  Rng rng(2);
  const Variable x(random_tensor({3, kInput}, 1, DType::f32));
  for (const Size arity : {0, 2}) {
    TreeLstm lstm({.input = kInput, .hidden = kHidden, .arity = arity}, rng);
    const Tensor left = lstm(x, {{{}, {}, {0, 1}}}).h.value(),
                 right = lstm(x, {{{}, {}, {1, 0}}}).h.value();
    CHECK((relative_difference(left, right) < 1e-6) == (arity == 0));
  }
}

TEST_CASE("a deep chain is no recursion") {
  Rng rng(2);
  constexpr Size kNodes = 20000;
  TreeLstm lstm({.input = 1, .hidden = 1, .arity = 1}, rng);
  Tree chain{{{}}};
  for (Size node = 1; node < kNodes; ++node) chain.children.push_back({node - 1});
  Tape tape;
  const TreeStates states = lstm(Variable(random_tensor({kNodes, 1}, 1, DType::f32)), chain);
  tape.backward(sum(states.h));
  CHECK(all_finite(lstm.weight_hh.gradient()));
  CHECK(states.roots[0] == kNodes - 1);
}

TEST_CASE("Tree-LSTM errors") {
  Rng rng(2);
  const TreeLstm lstm({.input = kInput, .hidden = kHidden}, rng),
      pairs({.input = kInput, .hidden = kHidden, .arity = 2}, rng);
  const auto given = [](Size nodes) { return Variable(Tensor::zeros({nodes, kInput})); };
  const auto index_error = [&](const Tree& tree) {
    return message_of<IndexError>([&] { lstm(given(tree.nodes()), tree); });
  };
  CHECK(index_error({{{}, {2}}}) == "TreeLstm: child 2 of node 1 is outside of [0, 2)");
  CHECK(index_error({{{}, {-1}}}) == "TreeLstm: child -1 of node 1 is outside of [0, 2)");
  CHECK(index_error({{{1}, {0}}}) == "TreeLstm: child 1 of node 0 does not come before it");
  CHECK(index_error({{{}, {1}}}) == "TreeLstm: child 1 of node 1 does not come before it");
  CHECK(index_error({{{}, {0}, {0}}}) == "TreeLstm: node 0 is a child of node 1 and of node 2");
  CHECK(index_error({{{}, {0, 0}}}) == "TreeLstm: node 0 is a child of node 1 and of node 1");
  CHECK(message_of<ShapeError>([&] {
          pairs(given(4), {{{}, {}, {}, {0, 1, 2}}});
        }) == "TreeLstm: node 3 has 3 children; at most 2 are possible");
  CHECK(message_of<ShapeError>([&] {
          lstm(given(3), {{{}, {0}}});
        }) == "TreeLstm: x is (3, 3) for a tree of 2 nodes; (2, 3) with at least one is needed");
  CHECK(message_of<ShapeError>([&] { lstm(given(0), {}); }) ==
        "TreeLstm: x is (0, 3) for a tree of 0 nodes; (0, 3) with at least one is needed");
  CHECK(message_of<Error>([&] { lstm({}, {{{}}}); }) == "TreeLstm: input 0 is an empty Variable");
  CHECK(message_of<OptionError>([&] { TreeLstm({.input = 3}, rng); }) ==
        "TreeLstm: input 3, hidden 0; each must be at least 1");
  CHECK(message_of<OptionError>([&] { TreeLstm({.input = 3, .hidden = 2, .arity = -1}, rng); }) ==
        "TreeLstm: arity -1; a number of children, or 0 for child-sum, is needed");
}

}  // namespace
}  // namespace hindsight::test
