#include <fmt/format.h>
#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/nn.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>

/// Memory and time of training on one long sequence: an LSTM that saves everything against one that
/// saves every k-th state and computes the steps between twice.

namespace {

using namespace hindsight;

struct Setup {
  std::vector<Size> shape{10000, 32, 64, 256};  ///< T, B, I, H
  Size every = 0;                               ///< k
  int runs = 3;
  std::string loss = "last";
};

struct Result {
  double seconds = 1e30;
  double peak = 0;  ///< bytes beyond what was in use before: the inputs and the model
};

class Training {
 public:
  explicit Training(const Setup& setup)
      : setup_(setup),
        rng_(1),
        lstm_({.input = setup.shape[2], .hidden = setup.shape[3]}, rng_),
        readout_({.inputs = setup.shape[3], .outputs = setup.shape[2]}, rng_),
        inputs_(nn::init::normal({setup.shape[0], setup.shape[1], setup.shape[2]}, 1, rng_)),
        targets_(Shape{setup.shape[0], setup.shape[1]}) {
    for (Size i = 0; i < targets_.elements(); ++i) targets_.data()[i] = rng_.below(setup.shape[2]);
  }

  /// Forward and backward, `every` as in UnrollOptions.
  Result run(Size every) {
    Result result;
    for (int i = 0; i < setup_.runs; ++i) {
      for (const Parameter& p : parameters()) Parameter(p).clear_gradient();
      const auto before = pool::statistics().bytes_in_use;
      pool::reset_peak();
      const auto begin = std::chrono::steady_clock::now();
      {
        Tape tape;
        tape.backward(loss(every));
      }
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
      result.seconds = std::min(result.seconds, taken.count());
      result.peak = static_cast<double>(pool::statistics().peak_bytes - before);
    }
    pool::trim();  // so that the next run starts with an empty pool
    return result;
  }

  std::vector<Tensor> gradients() {
    std::vector<Tensor> result;
    for (const Parameter& p : parameters()) result.push_back(p.gradient().contiguous_copy());
    return result;
  }

 private:
  std::vector<Parameter> parameters() {
    std::vector<Parameter> all = lstm_.parameters();
    for (const Parameter& p : readout_.parameters()) all.push_back(p);
    return all;
  }
  Variable loss(Size every) {
    const Size last = setup_.shape[0] - 1;
    if (setup_.loss == "segments" && every > 0) return segment_losses(every);
    const bool final_only = setup_.loss == "last" && every > 0;
    const nn::Unrolled run =
        lstm_(Variable(inputs_), {.checkpoint_every = every, .final_only = final_only});
    if (setup_.loss == "last") return cross_entropy(readout_(run.final[0][0]), targets_.row(last));
    return cross_entropy(readout_(run.outputs), targets_);
  }
  /// A loss at every step, also inside of the checkpoints, so that no sequence is saved.
  Variable segment_losses(Size every) {
    const Size steps = setup_.shape[0];
    nn::State state = {Variable(Tensor::zeros({setup_.shape[1], setup_.shape[3]})),
                       Variable(Tensor::zeros({setup_.shape[1], setup_.shape[3]}))};
    Variable total(Tensor::zeros({}));
    for (Size start = 0; start < steps; start += every) {
      const Size count = std::min(every, steps - start);
      const auto segment = [this, start, count](In in) {
        const nn::Unrolled run =
            lstm_(slice(Variable(inputs_), 0, start, count), nn::States{{in[0], in[1]}});
        const Variable loss = cross_entropy(readout_(run.outputs), targets_.rows(start, count));
        return std::vector<Variable>{run.final[0][0], run.final[0][1], loss};
      };
      const std::vector<Variable> results = checkpoint(segment, {state[0], state[1]});
      state = {results[0], results[1]};
      total = total + results[2] * (static_cast<double>(count) / static_cast<double>(steps));
    }
    return total;
  }

  using In = const std::vector<Variable>&;
  Setup setup_;
  Rng rng_;
  nn::Lstm lstm_;
  nn::Linear readout_;
  Tensor inputs_;
  Indices targets_;
};

double largest_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double difference = 0, magnitude = 1e-30;
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (Size k = 0; k < a[i].elements(); ++k) {
      difference = std::max(difference, std::abs(a[i].at(k) - b[i].at(k)));
      magnitude = std::max(magnitude, std::abs(b[i].at(k)));
    }
  }
  return difference / magnitude;
}

}  // namespace

int main(int argc, char** argv) {
  Setup setup;
  CLI::App app("Memory and time of a sweep over a long sequence, with and without checkpoints");
  app.footer("\nexample:\n  checkpoint --shape 10000,32,64,256 --every 100 --loss last\n");
  app.add_option("--shape", setup.shape, "T,B,I,H")->delimiter(',')->expected(4);
  app.add_option("--every", setup.every, "k steps in a segment; near sqrt(T) when left out");
  app.add_option("--runs", setup.runs, "runs of each, of which the fastest counts");
  app.add_option("--loss", setup.loss, "of the last step, of all steps, or of all in segments")
      ->check(CLI::IsMember({"last", "all", "segments"}));
  CLI11_PARSE(app, argc, argv);
  if (setup.every <= 0) {
    setup.every = static_cast<Size>(std::lround(std::sqrt(static_cast<double>(setup.shape[0]))));
  }
  blas::set_threads(1);
  Training training(setup);
  const Result checkpointed = training.run(setup.every);
  const std::vector<Tensor> gradients = training.gradients();
  const Result plain = training.run(0);
  fmt::print("T, B, I, H {}, k {}, loss of {}\n", fmt::join(setup.shape, ", "), setup.every,
             setup.loss);
  fmt::print("plain         {:8.1f} MB peak  {:8.3f} s\n", plain.peak / 1e6, plain.seconds);
  fmt::print("checkpointed  {:8.1f} MB peak  {:8.3f} s\n", checkpointed.peak / 1e6,
             checkpointed.seconds);
  fmt::print("ratio         {:8.4f}          {:8.3f}\n", checkpointed.peak / plain.peak,
             checkpointed.seconds / plain.seconds);
  fmt::print("gradients differ by {:.2g} of the largest\n",
             largest_difference(gradients, training.gradients()));
}
