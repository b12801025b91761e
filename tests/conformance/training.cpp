/// Kinds of cases that change parameters: single optimizer steps, clipping, a whole training.
#include "derivatives.h"
#include "models.h"

namespace hindsight::conformance {
namespace {

/// Gives each parameter its gradient as training does, by a sweep over sum(parameter * gradient).
void set_gradients(const std::vector<Parameter>& parameters, const std::vector<Tensor>& gradients) {
  Tape tape;
  Variable loss = sum(parameters[0] * Variable(gradients[0]));
  for (std::size_t i = 1; i < parameters.size(); ++i)
    loss = loss + sum(parameters[i] * Variable(gradients[i]));
  tape.backward(loss);
}

/// The optimizers' own clipping, where 0 stands for none.
double clip_option(Options& options, const char* name) {
  const auto norm = options.get<double>(name);
  if (!(norm > 0)) options.unsupported(name);
  return norm;
}

}  // namespace

void run_optimizer(Case& c) {
  Options& o = c.options;
  o.ignore("steps");
  std::vector<Parameter> parameters;
  for (std::size_t i = 0; c.has(fmt::format("param{}.init", i)); ++i) {
    parameters.emplace_back(fmt::format("param{}", i), c.tensor(fmt::format("param{}.init", i)));
  }
  const auto clip = o.get("clip_norm", 0.0);  // as in the generator, 0 does not clip
  const auto optimizer = make_optimizer(o.get<std::string>("name"), parameters, clip, o);
  o.finish();
  for (int step = 0; c.has(fmt::format("step{}.grad0", step)); ++step) {
    std::vector<Tensor> gradients;
    for (std::size_t i = 0; i < parameters.size(); ++i)
      gradients.push_back(c.tensor(fmt::format("step{}.grad{}", step, i)));
    set_gradients(parameters, gradients);
    optimizer->step();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      c.compare(fmt::format("step{}.param{}", step, i), parameters[i].value());
  }
}

/// Clipping is part of an optimizer's step: SGD with rate 1 takes parameters from 0 to minus the
/// clipped gradient.
void run_clip(Case& c) {
  Options& o = c.options;
  if (o.get<std::string>("op") != "norm") o.unsupported("op");
  if (o.has("norm_type") && o.get<Json>("norm_type") != 2) o.unsupported("norm_type");
  o.ignore("scale");
  std::vector<Parameter> parameters;
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; c.has(fmt::format("grad{}", i)); ++i) {
    gradients.push_back(c.tensor(fmt::format("grad{}", i)));
    parameters.emplace_back(fmt::format("parameter {}", i),
                            Tensor::zeros(gradients.back().shape(), DType::f64));
  }
  optim::Sgd sgd(parameters, {.learning_rate = 1, .clip_norm = clip_option(o, "max_norm")});
  o.finish();
  set_gradients(parameters, gradients);
  const optim::Report report = sgd.step();
  c.compare("total_norm", Tensor::full({}, report.gradient_norm, DType::f64));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    c.compare(fmt::format("clipped{}", i), Variable(-Variable(parameters[i])).value());
  }
}

namespace {

struct CharModel : nn::Module {
  CharModel(std::unique_ptr<nn::Unroller> network, const nn::LinearOptions& readout, Rng& rng)
      : rnn(std::move(network)), out(readout, rng) {
    add_child("rnn.", "", *rnn);
    add_child("out.", "", out);
  }
  std::unique_ptr<nn::Unroller> rnn;
  nn::Linear out;
};

Indices rows_of(const Indices& text, Size first, Size count) {
  const Size batch = text.shape()[1];
  const std::int64_t* start = text.data() + first * batch;
  return {std::vector<std::int64_t>(start, start + count * batch), Shape{count, batch}};
}

}  // namespace

void run_training(Case& c) {
  Options& o = c.options;
  o.ignore("batch");
  const auto vocabulary = o.get<Size>("vocab"), hidden = o.get<Size>("hidden_size");
  const auto steps = o.get<Size>("steps_per_chunk"), chunks = o.get<Size>("chunks");
  Rng rng(1);
  CharModel model(
      make_recurrent(
          o.get<std::string>("cell"),
          {.input = vocabulary, .hidden = hidden, .layers = o.get<Size>("num_layers", 1)}, o),
      {.inputs = hidden, .outputs = vocabulary}, rng);
  assign_parameters(c, model, "", ".init");
  Options rule(o.get<Json>("optimizer_options"));
  const auto optimizer = make_optimizer(o.get<std::string>("optimizer"), model.parameters(),
                                        clip_option(o, "clip_norm"), rule);
  rule.finish();
  o.finish();

  const Indices text = c.indices("text");
  if (text.shape().rank() != 2 || text.shape()[0] != chunks * steps + 1) {
    fail<ShapeError>("text is {}; {} rows are needed", text.shape(), chunks * steps + 1);
  }
  std::vector<double> losses, norms;
  nn::States states;
  for (Size k = 0; k < chunks; ++k) {
    Tape tape;  // states of the last one are constants
    const nn::Unrolled unrolled = (*model.rnn)(rows_of(text, k * steps, steps), states);
    const Variable loss =
        cross_entropy(model.out(unrolled.outputs), rows_of(text, k * steps + 1, steps));
    states = unrolled.final;
    losses.push_back(loss.item());
    tape.backward(loss);
    norms.push_back(optimizer->step().gradient_norm);
  }
  c.compare("loss", Tensor::from(losses, {chunks}, DType::f64));
  c.compare("gradient_norm", Tensor::from(norms, {chunks}, DType::f64));
  for (const auto& [name, parameter] : model.named_parameters())
    c.compare(name + ".final", parameter.value());
}

}  // namespace hindsight::conformance
