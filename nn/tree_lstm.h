#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/module.h>

#include <vector>

namespace hindsight::nn {

/// One or several trees: the children of every node, numbered so that children come before their
/// parent. Nodes without a parent are roots.
///
///   Tree tree{{{}, {}, {0, 1}}};  // node 2 with the leaves 0 and 1
struct Tree {
  std::vector<std::vector<Size>> children;

  Size nodes() const { return static_cast<Size>(children.size()); }
};

/// Several trees as one, whose nodes are numbered tree after tree.
Tree forest(const std::vector<Tree>& trees);

struct TreeLstmOptions {
  Size input = 0;   ///< I
  Size hidden = 0;  ///< H
  /// 0: child-sum, for any number of children, whose order is irrelevant. N > 0: N-ary, for at most
  /// N children with weights of their own for each position; 2 for binary trees.
  Size arity = 0;
};

/// The states of all nodes of a tree.
struct TreeStates {
  Variable h, c;  ///< (nodes, H)
  Indices roots;  ///< nodes without a parent, in ascending order: take(h, roots) are their states
};

namespace detail {

/// Nodes as far from their roots.
struct TreeLevel {
  std::vector<Size> inner, leaves;
  /// Of the nodes of the level below, inner ones first, which are the children of the inner nodes:
  /// the row of each one's parent, or if N-ary that times N plus its position.
  Indices slots = {};
};

}  // namespace detail

/// Tree-LSTM (Tai et al. 2015, arXiv 1503.00075): the state of a node from its input x and the
/// states h_k, c_k of its children, which are zeros where an N-ary node has fewer than N.
/// x: (nodes, I), one row for each node, zeros for nodes without an input -> (nodes, H).
///   [i o u f] = x W_ih^T + b    (nodes, 4H)
///   h~ = sum_k h_k, or if N-ary [h_1 ... h_N]    [i o u] += h~ W_hh^T
///   f_k = f + h_k W_fh^T, or if N-ary [f_1 ... f_N] = [f ... f] + h~ W_fh^T
///   c = sigmoid(i) tanh(u) + sum_k sigmoid(f_k) c_k    h = sigmoid(o) tanh(c)
/// Parameters weight_ih: (4H, I), weight_hh: (3H, H or N H), weight_fh: (H, H) or (N H, N H), bias:
/// (4H,), uniform in [-1/sqrt(H), 1/sqrt(H)). Nodes as far from their roots are computed together.
/// OptionError for sizes below 1 or a negative arity.
class TreeLstm : public Module {
 public:
  TreeLstm(const TreeLstmOptions& options, Rng& rng);
  /// ShapeError when there are no nodes, the rows of x are not as many or not I wide, or a node has
  /// more than N children; IndexError for a child out of range, after its parent, or of two nodes.
  TreeStates operator()(const Variable& x, const Tree& tree) const;

  Parameter weight_ih, weight_hh, weight_fh, bias;

 private:
  struct NodeStates {
    Variable h, c;
  };
  NodeStates all_nodes(const Variable& px, const std::vector<detail::TreeLevel>& levels) const;
  NodeStates inner_nodes(const Variable& px, const NodeStates& children,
                         const Indices& slots) const;

  TreeLstmOptions options_;
};

}  // namespace hindsight::nn
