#include <memory>
#include <stdexcept>

#include "contestants.h"
#ifdef HINDSIGHT_BENCH_TORCH  // the path of the library made from torch_step.cpp
#include <dlfcn.h>

#include "torch_step.h"
#endif

namespace hindsight::bench {

#ifdef HINDSIGHT_BENCH_TORCH
namespace {

struct TorchLibrary {
  decltype(&hindsight_torch_make) make;
  decltype(&hindsight_torch_step) step, inference;
  decltype(&hindsight_torch_destroy) destroy;
};

/// torch_step.cpp's library, opened so that torch finds its own symbols first. Linked or opened
/// without RTLD_DEEPBIND, torch calls our OpenBLAS's sgemm_ in place of its own, four times slower.
const TorchLibrary& torch_library() {
  static const TorchLibrary library = [] {
    void* const handle = dlopen(HINDSIGHT_BENCH_TORCH, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (handle == nullptr) throw std::runtime_error(std::string("torch: ") + dlerror());
    const auto find = [&](const char* name) {
      void* const symbol = dlsym(handle, name);
      if (symbol == nullptr) throw std::runtime_error(std::string("torch: ") + dlerror());
      return symbol;
    };
    return TorchLibrary{
        reinterpret_cast<decltype(&hindsight_torch_make)>(find("hindsight_torch_make")),
        reinterpret_cast<decltype(&hindsight_torch_step)>(find("hindsight_torch_step")),
        reinterpret_cast<decltype(&hindsight_torch_step)>(find("hindsight_torch_inference")),
        reinterpret_cast<decltype(&hindsight_torch_destroy)>(find("hindsight_torch_destroy"))};
  }();
  return library;
}

std::shared_ptr<void> torch_network(const Problem& p, int threads) {
  std::vector<const float*> parameters;
  for (const ParameterShape& parameter : parameter_shapes(p.model, p.I, p.H))
    parameters.push_back(p.parameters.at(parameter.name).data());
  HindsightTorchProblem problem{};
  problem.model = p.model.c_str();
  problem.T = p.T;
  problem.B = p.B;
  problem.I = p.I;
  problem.H = p.H;
  problem.x = p.x.data();
  problem.targets = p.targets.data();
  problem.parameters = parameters.data();
  problem.parameter_count = static_cast<std::int64_t>(parameters.size());
  problem.learning_rate = p.learning_rate;
  problem.clip_norm = p.clip_norm;
  problem.threads = threads;
  const TorchLibrary& torch = torch_library();
  const std::shared_ptr<void> network(torch.make(&problem), [&torch](void* made) {
    if (made != nullptr) torch.destroy(made);
  });
  if (network == nullptr) throw std::runtime_error("torch could not make its network");
  return network;
}

}  // namespace

std::optional<Contestant> torch_step(const Problem& p, int threads) {
  if (p.model == "custom") return std::nullopt;
  return Contestant{"PyTorch", [network = torch_network(p, threads)] {
                      return torch_library().step(network.get());
                    }};
}

std::optional<Contestant> torch_inference(const Problem& p, int threads) {
  if (p.model == "custom") return std::nullopt;
  return Contestant{"PyTorch sequence", [network = torch_network(p, threads)] {
                      return torch_library().inference(network.get());
                    }};
}
#else
std::optional<Contestant> torch_step(const Problem&, int) { return std::nullopt; }
std::optional<Contestant> torch_inference(const Problem&, int) { return std::nullopt; }
#endif

}  // namespace hindsight::bench
