#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/tree_lstm.h>

#include <algorithm>
#include <cmath>

namespace hindsight::nn {
namespace {

constexpr Size kRoot = -1;

std::size_t at(Size node) { return static_cast<std::size_t>(node); }

/// The parent of each node, kRoot if it has none. Throws unless the children make up trees.
std::vector<Size> parents_of(const Tree& tree, Size arity) {
  std::vector<Size> parents(at(tree.nodes()), kRoot);
  for (Size node = 0; node < tree.nodes(); ++node) {
    const std::vector<Size>& children = tree.children[at(node)];
    if (arity > 0 && static_cast<Size>(children.size()) > arity) {
      fail<ShapeError>("TreeLstm: node {} has {} children; at most {} are possible", node,
                       children.size(), arity);
    }
    for (Size child : children) {
      if (child < 0 || child >= tree.nodes()) {
        fail<IndexError>("TreeLstm: child {} of node {} is outside of [0, {})", child, node,
                         tree.nodes());
      }
      if (child >= node)
        fail<IndexError>("TreeLstm: child {} of node {} does not come before it", child, node);
      Size& parent = parents[at(child)];
      if (parent != kRoot)
        fail<IndexError>("TreeLstm: node {} is a child of node {} and of node {}", child, parent,
                         node);
      parent = node;
    }
  }
  return parents;
}

using Level = detail::TreeLevel;

/// Splits trees into levels, from the roots down.
std::vector<Level> levels_of(const Tree& tree, const std::vector<Size>& parents, Size arity) {
  std::vector<Level> levels;
  std::vector<Size> depth(parents.size(), 0), row(parents.size(), 0), position(parents.size(), 0);
  for (Size node = tree.nodes() - 1; node >= 0; --node) {  // parents before their children
    if (parents[at(node)] != kRoot) depth[at(node)] = depth[at(parents[at(node)])] + 1;
    if (at(depth[at(node)]) >= levels.size()) levels.resize(at(depth[at(node)]) + 1);
  }
  for (Size node = 0; node < tree.nodes(); ++node) {
    const std::vector<Size>& children = tree.children[at(node)];
    Level& level = levels[at(depth[at(node)])];
    std::vector<Size>& alike = children.empty() ? level.leaves : level.inner;
    row[at(node)] = static_cast<Size>(alike.size());
    alike.push_back(node);
    for (std::size_t k = 0; k < children.size(); ++k)
      position[at(children[k])] = static_cast<Size>(k);
  }
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    std::vector<Size> slots;
    for (const std::vector<Size>* nodes : {&levels[i + 1].inner, &levels[i + 1].leaves}) {
      for (Size child : *nodes) {
        const Size parent_row = row[at(parents[at(child)])];
        slots.push_back(arity > 0 ? parent_row * arity + position[at(child)] : parent_row);
      }
    }
    levels[i].slots = slots;
  }
  return levels;
}

/// The nodes in the order of processing: all leaves, then inner nodes, the lowest level first.
std::vector<Size> processing_order(const std::vector<Level>& levels) {
  std::vector<Size> order;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level)
    order.insert(order.end(), level->leaves.begin(), level->leaves.end());
  for (auto level = levels.rbegin(); level != levels.rend(); ++level)
    order.insert(order.end(), level->inner.begin(), level->inner.end());
  return order;
}

Variable joined(const Variable& inner, const Variable& leaves) {
  if (!inner || !leaves) return inner ? inner : leaves;
  return concat({inner, leaves}, 0);
}

}  // namespace

Tree forest(const std::vector<Tree>& trees) {
  Tree result;
  for (const Tree& tree : trees) {
    const Size first = result.nodes();
    for (std::vector<Size> children : tree.children) {
      for (Size& child : children) child += first;
      result.children.push_back(std::move(children));
    }
  }
  return result;
}

TreeLstm::TreeLstm(const TreeLstmOptions& options, Rng& rng) : options_(options) {
  const Size input = options.input, hidden = options.hidden;
  if (input < 1 || hidden < 1)
    fail<OptionError>("TreeLstm: input {}, hidden {}; each must be at least 1", input, hidden);
  if (options.arity < 0) {
    fail<OptionError>("TreeLstm: arity {}; a number of children, or 0 for child-sum, is needed",
                      options.arity);
  }
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const Size read = std::max<Size>(1, options.arity) * hidden;
  weight_ih = parameter("weight_ih", init::uniform({4 * hidden, input}, bound, rng));
  weight_hh = parameter("weight_hh", init::uniform({3 * hidden, read}, bound, rng));
  weight_fh = parameter("weight_fh", init::uniform({read, read}, bound, rng));
  bias = parameter("bias", init::uniform({4 * hidden}, bound, rng));
}

TreeLstm::NodeStates TreeLstm::inner_nodes(const Variable& px, const NodeStates& children,
                                           const Indices& slots) const {
  const Size rows = px.size(0), hidden = options_.hidden, arity = options_.arity;
  const Variable px_f = slice(px, 1, 3 * hidden, hidden);
  Variable h_children, kept;
  if (arity == 0) {
    const Variable f = take(px_f, slots) + matmul(children.h, transpose(weight_fh));
    h_children = scatter_rows(children.h, slots, rows);
    kept = scatter_rows(sigmoid(f) * children.c, slots, rows);
  } else {
    const Shape by_position{rows, arity, hidden};
    h_children = reshape(scatter_rows(children.h, slots, rows * arity), {rows, arity * hidden});
    const Variable c_children = reshape(scatter_rows(children.c, slots, rows * arity), by_position);
    const Variable product = reshape(matmul(h_children, transpose(weight_fh)), by_position);
    kept = sum(sigmoid(unsqueeze(px_f, 1) + product) * c_children, {1});
  }
  const auto [i, o, u] =
      chunk<3>(slice(px, 1, 0, 3 * hidden) + matmul(h_children, transpose(weight_hh)));
  const Variable c = sigmoid(i) * tanh(u) + kept;
  return {sigmoid(o) * tanh(c), c};
}

// All states in the order of processing, which px has.
TreeLstm::NodeStates TreeLstm::all_nodes(const Variable& px,
                                         const std::vector<detail::TreeLevel>& levels) const {
  Size leaf_count = 0, leaf = 0;
  for (const auto& level : levels) leaf_count += static_cast<Size>(level.leaves.size());
  const auto [i, o, u] = chunk<3>(slice(slice(px, 0, 0, leaf_count), 1, 0, 3 * options_.hidden));
  NodeStates leaves;
  leaves.c = sigmoid(i) * tanh(u);
  leaves.h = sigmoid(o) * tanh(leaves.c);

  Size next = leaf_count;
  std::vector<Variable> h{leaves.h}, c{leaves.c};
  NodeStates below;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    NodeStates inner, ends;
    if (const auto count = static_cast<Size>(level->inner.size())) {
      inner = inner_nodes(slice(px, 0, next, count), below, level->slots);
      h.push_back(inner.h);
      c.push_back(inner.c);
      next += count;
    }
    if (const auto count = static_cast<Size>(level->leaves.size())) {
      ends = {slice(leaves.h, 0, leaf, count), slice(leaves.c, 0, leaf, count)};
      leaf += count;
    }
    below = {joined(inner.h, ends.h), joined(inner.c, ends.c)};
  }
  return {concat(h, 0), concat(c, 0)};
}

TreeStates TreeLstm::operator()(const Variable& x, const Tree& tree) const {
  const Size nodes = tree.nodes();
  check_given("TreeLstm", x);
  if (nodes == 0 || x.shape() != Shape{nodes, options_.input}) {
    fail<ShapeError>(
        "TreeLstm: x is {} for a tree of {} nodes; ({}, {}) with at least one is needed", x.shape(),
        nodes, nodes, options_.input);
  }
  const Scope scope(path_or("TreeLstm"));
  const std::vector<Size> parents = parents_of(tree, options_.arity);
  const std::vector<Level> levels = levels_of(tree, parents, options_.arity);
  const std::vector<Size> order = processing_order(levels);
  const NodeStates states = all_nodes(linear(take(x, order), weight_ih, bias), levels);

  std::vector<Size> place(order.size()), roots;
  for (std::size_t k = 0; k < order.size(); ++k) place[at(order[k])] = static_cast<Size>(k);
  for (Size node = 0; node < nodes; ++node) {
    if (parents[at(node)] == kRoot) roots.push_back(node);
  }
  return {take(states.h, place), take(states.c, place), roots};
}

}  // namespace hindsight::nn
