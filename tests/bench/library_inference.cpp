#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/mode.h>

#include "library_network.h"

/// The library without a tape.
namespace hindsight::bench {
namespace {

std::shared_ptr<LibraryNetwork> network_of(const Problem& problem) {
  auto layer = make_layer(problem, Writer::library);
  if (!layer) return nullptr;
  return std::make_shared<LibraryNetwork>(problem, std::move(layer));
}

}  // namespace

std::optional<Contestant> library_inference(const Problem& p) {
  const auto network = network_of(p);
  if (!network) return std::nullopt;
  const Tensor x({p.T, p.B, p.I}, DType::f32);
  std::copy(p.x.begin(), p.x.end(), x.data<float>());
  return Contestant{"sequence", [network, x] {
                      const nn::Evaluation mode;
                      const auto outputs = (*network->layer)(Variable(x)).outputs;
                      return Variable(sum(network->readout(outputs))).item();
                    }};
}

std::optional<Contestant> library_decoding(const Problem& p) {
  const auto network = network_of(p);
  if (!network || network->layer->options().bidirectional) return std::nullopt;
  const Tensor x({1, p.I}, DType::f32);
  std::copy_n(p.x.begin(), p.I, x.data<float>());
  return Contestant{"decoding", [network, input = Variable(x), steps = p.T] {
                      const nn::Evaluation mode;
                      nn::Stepped stepped = network->layer->step(input);
                      for (Size t = 1; t < steps; ++t)
                        stepped = network->layer->step(input, stepped.states);
                      return Variable(sum(stepped.output)).item();
                    }};
}

}  // namespace hindsight::bench
