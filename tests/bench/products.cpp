#include "products.h"

#include <hindsight/autograd/tensor/blas.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>

#include "lanes.h"

namespace hindsight::bench {
namespace {

using blas::multiply;

struct Way {
  std::string name;
  std::function<void()> run;
};

/// A stored matrix, and views of it and of its transpose. Rows of a multiple of 4096 bytes are
/// padded by a cache line: otherwise they compete for the same cache sets, which slows a product by
/// up to 4 %.
class Stored {
 public:
  Stored(Size rows, Size columns)
      : rows_(rows),
        columns_(columns),
        stride_(columns % 1024 == 0 ? columns + 16 : columns),
        values_(static_cast<std::size_t>(rows * stride_)) {
    // Numbers of normal size: products of denormals take longer.
    for (std::size_t k = 0; k < values_.size(); ++k) {
      values_[k] = 1e-3f * static_cast<float>(static_cast<int>(k * 7919 % 1001) - 500);
    }
  }
  blas::MatrixOf<const float> all() const { return rows(0, rows_); }
  blas::MatrixOf<const float> rows(Size from, Size count) const {
    return {values_.data() + from * stride_, count, columns_, stride_, false};
  }
  blas::MatrixOf<const float> t() const { return {values_.data(), columns_, rows_, stride_, true}; }
  blas::MatrixOf<float> to() { return to_rows(0, rows_); }
  blas::MatrixOf<float> to_rows(Size from, Size count) {
    return {values_.data() + from * stride_, count, columns_, stride_, false};
  }

 private:
  Size rows_, columns_, stride_;
  std::vector<float, xsimd::aligned_allocator<float, 64>> values_;
};

/// Every operand of a step in every layout that a way may use. N = T B, width = I + H, gates = G H.
struct Operands {
  Size T, B, I, H, V, N, width, gates;
  bool joins;  ///< [x h] may be one factor
  Stored x{N, I}, h{N, H}, xh{N, width}, z{N, gates}, dh{N, H}, logits{N, V}, logits_t{V, N};
  Stored w_ih{gates, I}, w_hh{gates, H}, w_ih_t{I, gates}, w_hh_t{H, gates}, w_t{width, gates};
  Stored readout{V, H}, readout_t{H, V};
  Stored dw_ih{gates, I}, dw_hh{gates, H}, dw{gates, width};
  Stored dw_ih_t{I, gates}, dw_hh_t{H, gates}, dw_t{width, gates}, dreadout{V, H}, dreadout_t{H, V};

  Operands(const std::string& model, const Shape& s)
      : T(s.T),
        B(s.B),
        I(s.I),
        H(s.H),
        V(s.I),
        N(s.T * s.B),
        width(s.I + s.H),
        gates(gates_of(model) * s.H),
        joins(model != "gru") {}  // the reset gate is between x W and h W

  void add_states(const Stored& weights, bool transposed) {
    for (Size t = 0; t < T; ++t) {
      multiply(h.rows(t * B, B), transposed ? weights.t() : weights.all(), 1, z.to_rows(t * B, B));
    }
  }
};

using Group = std::vector<Way>;

/// z = x W_ih^T + h W_hh^T for every step.
Group forward_ways(Operands& o) {
  Group ways = {
      {"x over the sequence, h by step",
       [&o] {
         multiply(o.x.all(), o.w_ih_t.all(), 0, o.z.to());
         o.add_states(o.w_hh_t, false);
       }},
      {"x over the sequence transposed, h by step",
       [&o] {
         multiply(o.x.all(), o.w_ih.t(), 0, o.z.to());
         o.add_states(o.w_hh_t, false);
       }},
      {"x over the sequence, h by step transposed",
       [&o] {
         multiply(o.x.all(), o.w_ih_t.all(), 0, o.z.to());
         o.add_states(o.w_hh, true);
       }},
  };
  if (!o.joins) return ways;
  ways.push_back({"x beside h by step", [&o] {
                    for (Size t = 0; t < o.T; ++t) {
                      multiply(o.xh.rows(t * o.B, o.B), o.w_t.all(), 0, o.z.to_rows(t * o.B, o.B));
                    }
                  }});
  return ways;
}

/// dh_{t-1} += dz_t W_hh, for all steps but the first.
Group backward_ways(Operands& o) {
  const auto sweep = [&o](bool transposed) {
    for (Size t = o.T - 1; t > 0; --t) {
      multiply(o.z.rows(t * o.B, o.B), transposed ? o.w_hh_t.t() : o.w_hh.all(), 1,
               o.dh.to_rows((t - 1) * o.B, o.B));
    }
  };
  return {{"untransposed", [=] { sweep(false); }}, {"transposed", [=] { sweep(true); }}};
}

/// The gradients of W_ih and W_hh.
Group weight_gradient_ways(Operands& o) {
  Group ways = {
      {"dz^T x, dz^T h",
       [&o] {
         multiply(o.z.t(), o.x.all(), 0, o.dw_ih.to());
         multiply(o.z.t(), o.h.all(), 0, o.dw_hh.to());
       }},
      {"x^T dz, h^T dz",
       [&o] {
         multiply(o.x.t(), o.z.all(), 0, o.dw_ih_t.to());
         multiply(o.h.t(), o.z.all(), 0, o.dw_hh_t.to());
       }},
      {"x^T dz, dz^T h",
       [&o] {
         multiply(o.x.t(), o.z.all(), 0, o.dw_ih_t.to());
         multiply(o.z.t(), o.h.all(), 0, o.dw_hh.to());
       }},
  };
  if (!o.joins) return ways;
  ways.push_back({"dz^T [x h]", [&o] { multiply(o.z.t(), o.xh.all(), 0, o.dw.to()); }});
  ways.push_back({"[x h]^T dz", [&o] { multiply(o.xh.t(), o.z.all(), 0, o.dw_t.to()); }});
  return ways;
}

Group readout_ways(Operands& o) {
  return {
      {"W transposed", [&o] { multiply(o.h.all(), o.readout.t(), 0, o.logits.to()); }},
      {"copy of W", [&o] { multiply(o.h.all(), o.readout_t.all(), 0, o.logits.to()); }},
      {"by class", [&o] { multiply(o.readout.all(), o.h.t(), 0, o.logits_t.to()); }},
  };
}

Group readout_backward_ways(Operands& o) {
  return {
      {"by row", [&o] { multiply(o.logits.all(), o.readout.all(), 0, o.dh.to()); }},
      {"by class", [&o] { multiply(o.logits_t.t(), o.readout.all(), 0, o.dh.to()); }},
  };
}

Group readout_gradient_ways(Operands& o) {
  return {
      {"dlogits^T h", [&o] { multiply(o.logits.t(), o.h.all(), 0, o.dreadout.to()); }},
      {"h^T dlogits", [&o] { multiply(o.h.t(), o.logits.all(), 0, o.dreadout_t.to()); }},
      {"by class", [&o] { multiply(o.logits_t.all(), o.h.all(), 0, o.dreadout.to()); }},
  };
}

/// The fastest way, by measurement. The ways take turns, so that noise of the machine affects all.
const Way& fastest(const Group& ways) {
  constexpr int kTurns = 10;
  std::vector<double> best(ways.size(), std::numeric_limits<double>::infinity());
  for (int turn = 0; turn < kTurns; ++turn) {
    for (std::size_t k = 0; k < ways.size(); ++k) {
      const auto start = std::chrono::steady_clock::now();
      ways[k].run();
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      best[k] = std::min(best[k], taken.count());
    }
  }
  return ways[static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin())];
}

}  // namespace

Products best_products(const std::string& model, const Shape& shape) {
  const auto operands = std::make_shared<Operands>(model, shape);
  const std::pair<const char*, Group> groups[] = {
      {"forward", forward_ways(*operands)},
      {"readout", readout_ways(*operands)},
      {"readout backward", readout_backward_ways(*operands)},
      {"readout gradient", readout_gradient_ways(*operands)},
      {"backward", backward_ways(*operands)},
      {"weight gradient", weight_gradient_ways(*operands)},
  };
  Products products;
  std::vector<std::function<void()>> steps;
  for (const auto& [name, ways] : groups) {
    const Way& way = fastest(ways);
    products.chosen.push_back(std::string(name) + ": " + way.name);
    steps.push_back(way.run);
  }
  // The ways refer to the operands, which are therefore held here.
  products.run = [operands, steps] {
    for (const auto& step : steps) step();
  };
  return products;
}

std::optional<Contestant> products_alone(const Problem& p) {
  if (p.model == "bilstm") return std::nullopt;
  const Products products = best_products(p.model, {p.T, p.B, p.I, p.H});
  return Contestant{"products", [run = products.run] {
                      run();
                      return std::numeric_limits<double>::quiet_NaN();
                    }};
}

}  // namespace hindsight::bench
