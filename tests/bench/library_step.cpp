#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/parallel_gradient.h>
#include <hindsight/optim/optim.h>

#include <numeric>
#include <random>

#include "library_network.h"

/// The training step by the library: with its own layer, and with cells as a user writes them.
namespace hindsight::bench {
namespace {

constexpr Size kIgnored = -100;  // the target of a place after a sequence's end

struct TrainerOptions {
  std::vector<Size> lengths = {};
  int threads = 1;
};

/// A network and its optimizer, ready to step.
struct Trainer {
  LibraryNetwork network;
  optim::Sgd sgd;
  Tensor x;
  Indices targets;
  TrainerOptions options;

  Trainer(const Problem& p, std::unique_ptr<nn::Unroller> layer, const TrainerOptions& given)
      : network(p, std::move(layer)),
        sgd(network.parameters(), {.learning_rate = p.learning_rate, .clip_norm = p.clip_norm}),
        x({p.T, p.B, p.I}, DType::f32),
        targets(p.targets, {p.T, p.B}),
        options(given) {
    std::copy(p.x.begin(), p.x.end(), x.data<float>());
  }

  double step() {
    const double value = options.threads > 1 ? parallel_gradient() : gradient();
    sgd.step();
    return value;
  }

  double gradient() {
    Tape tape;
    const auto run = (*network.layer)(Variable(x), {.lengths = options.lengths});
    const Variable loss =
        cross_entropy(network.readout(run.outputs), targets, {.ignore = kIgnored});
    tape.backward(loss);
    return loss.item();
  }

  double parallel_gradient() {
    const auto loss_of = [this](const nn::Rows& rows) {
      const Variable logits = network.readout((*network.layer)(Variable(rows.of(x, 1))).outputs);
      return Variable(rows.share() * cross_entropy(logits, rows.of(targets, 1)));
    };
    return nn::parallel_gradient(x.size(1), loss_of, {.threads = options.threads});
  }
};

std::optional<Contestant> contestant(const char* name, const Problem& problem, Writer writer,
                                     const TrainerOptions& options = {}) {
  auto layer = make_layer(problem, writer);
  if (!layer) return std::nullopt;
  const auto trainer = std::make_shared<Trainer>(problem, std::move(layer), options);
  return Contestant{name, [trainer] { return trainer->step(); }};
}

/// The batch rows in another order, of which only the first lengths[b] steps have targets.
Problem cut(const Problem& p, const std::vector<Size>& order, const std::vector<Size>& lengths) {
  Problem result = p;
  for (Size t = 0; t < p.T; ++t) {
    for (Size b = 0; b < p.B; ++b) {
      const auto row = static_cast<std::size_t>(b);
      const Size from = t * p.B + order[row], to = t * p.B + b;
      std::copy_n(p.x.begin() + from * p.I, p.I, result.x.begin() + to * p.I);
      result.targets[static_cast<std::size_t>(to)] =
          t < lengths[row] ? p.targets[static_cast<std::size_t>(from)] : kIgnored;
    }
  }
  return result;
}

}  // namespace

std::optional<Contestant> library_step(const Problem& problem) {
  return contestant("step", problem, Writer::library);
}
std::optional<Contestant> parallel_step(const Problem& problem, int threads) {
  return contestant("threads", problem, Writer::library, {{}, threads});
}
std::optional<Contestant> user_step(const Problem& problem) {
  return contestant("user", problem, Writer::user);
}
std::optional<Contestant> naive_step(const Problem& problem) {
  return contestant("naive", problem, Writer::naive);
}

std::vector<Contestant> ragged_steps(const Problem& p) {
  const Writer writer = p.model == "custom" ? Writer::user : Writer::library;
  std::vector<Size> sorted, order(static_cast<std::size_t>(p.B)), lengths;
  for (Size b = 0; b < p.B; ++b) sorted.push_back(1 + (p.T - 1) * (2 * (p.B - b) - 1) / (2 * p.B));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 engine(1);
  std::shuffle(order.begin(), order.end(), engine);
  for (Size row : order) lengths.push_back(sorted[static_cast<std::size_t>(row)]);
  std::vector<Size> as_they_are(order.size());
  std::iota(as_they_are.begin(), as_they_are.end(), 0);
  return {*contestant("step", p, writer),
          *contestant("ragged", cut(p, order, lengths), writer, {lengths}),
          *contestant("sorted", cut(p, as_they_are, sorted), writer, {sorted})};
}

}  // namespace hindsight::bench
