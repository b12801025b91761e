#include <hindsight/autograd/gradcheck_function.h>
#include <hindsight/autograd/gradcheck_slope.h>
#include <hindsight/autograd/sweep.h>
#include <hindsight/autograd/weight_gradient.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

/// Which operation is to blame for a wrong derivative: each is run again with one of its inputs
/// moved, and the change of its output compared with what its own way back says.
namespace hindsight {
namespace {

constexpr Size kMostElements = 1024;  // of an input, looked at one by one
constexpr double kSameValue = 1e-9;   // a value computed again may differ in its last digits

/// An input whose value can be moved; as it was afterwards. Values that share the memory stay.
class Movable {
 public:
  explicit Movable(const Operand& input) : node_(input.node()), shared_base_(node_->base) {
    if (const Parameter* parameter = parameter_of(input)) parameter_ = *parameter;
    if (!node_->value.unique()) {
      Layout whole(node_->shape);
      whole.offset = node_->base;
      shared_ = node_->value;
      node_->value = Tensor(shared_, whole, node_->dtype).contiguous_copy().buffer();
      node_->base = 0;
    }
    if (parameter_) {  // its transposed copy is made of the parameter's own value
      parameter_value_ = parameter_.value();
      parameter_.data()->value = Tensor(node_->value, Layout(node_->shape), node_->dtype);
    }
    region_ = input.variable().value();
    original_ = region_.contiguous_copy();
  }
  ~Movable() {
    copy(original_, region_);
    if (shared_) {
      node_->value = shared_;
      node_->base = shared_base_;
    }
    if (!parameter_) return;
    parameter_.data()->value = parameter_value_;
    parameter_.changed();
  }
  Movable(const Movable&) = delete;
  Movable& operator=(const Movable&) = delete;

  Size elements() const { return original_.elements(); }
  double at(Size index) const { return original_.at(index); }
  void set(Size index, double value) {
    region_.set(index, value);
    if (parameter_) parameter_.changed();
  }

 private:
  Node* node_;
  Buffer shared_;
  Size shared_base_;
  Parameter parameter_;
  Tensor parameter_value_, region_, original_;
};

/// Gradients that inputs have only while one operation goes backward on its own.
class OwnGradients {
 public:
  explicit OwnGradients(const Operation& op) : output_(op.output().node()) {
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      Node* node = inputs[i].node();
      if (!node) continue;
      saved_.emplace_back(node, node->gradient);
      node->gradient = &node->own_gradient;
    }
  }
  ~OwnGradients() {
    output_->own_gradient.release();
    for (std::size_t i = saved_.size(); i-- > 0;) {
      saved_[i].first->own_gradient.release();
      saved_[i].first->gradient = saved_[i].second;
    }
  }
  OwnGradients(const OwnGradients&) = delete;
  OwnGradients& operator=(const OwnGradients&) = delete;

 private:
  Node* output_;
  std::vector<std::pair<Node*, Gradient*>> saved_;
};

/// What the operation's own way back makes of `weights`, the gradient of its output.
std::vector<Tensor> backward_alone(Operation& op, const Tensor& weights) {
  const OwnGradients own(op);
  Sweep sweep(false, Sweep::After::keep);
  sweep.add(op.output(), Variable(weights));
  sweep.through(op);
  std::vector<Tensor> gradients;
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    const Node* node = inputs[i].node();
    if (inputs[i].wanted() && node->use && node->use->leaf == node) node->use->flush();
    gradients.push_back(inputs[i].wanted() ? Sweep::gradient(inputs[i]).contiguous_copy()
                                           : Tensor());
  }
  return gradients;
}

/// One operation, checked on its own.
class LocalCheck {
 public:
  LocalCheck(Operation& op, const CheckOptions& options) : op_(op), options_(options), rng_(1) {
    weights_ = random_like(op.output().shape(), rng_);
  }

  /// Whether running it again gives another value. It has that one from then on.
  bool value_differs() {
    const Tensor before = output().contiguous_copy();
    op_.run();
    const Tensor after = output();
    double difference = 0, magnitude = 1;
    for (Size i = 0; i < before.elements(); ++i) {
      difference = std::max(difference, std::abs(before.at(i) - after.at(i)));
      magnitude = std::max(magnitude, std::abs(after.at(i)));
    }
    return difference > kSameValue * magnitude;
  }

  /// The worst wrong element of an input whose way back is wrong.
  std::optional<CheckedElement> wrong_input(int input) {
    if (gradients_.empty()) gradients_ = backward_alone(op_, weights_);
    const Tensor& gradient = gradients_[static_cast<std::size_t>(input)];
    std::optional<CheckedElement> worst;
    {
      Movable at(op_.inputs().first[input]);
      if (at.elements() > 0 && !along_direction(at, gradient)) worst = worst_element(at, gradient);
    }
    op_.run();  // with the input back in place
    return worst;
  }

 private:
  Tensor output() const { return op_.output().variable().value(); }
  double value() {
    op_.run();
    return dot(weights_, output());
  }
  Line line(std::function<double(double)> moved, double step) {
    Line line{std::move(moved), value(), step, options_.absolute, options_.relative};
    const Tensor out = output();
    double magnitude = 1;  // the sum may be smaller than what it adds up
    for (Size i = 0; i < out.elements(); ++i) magnitude += std::abs(weights_.at(i) * out.at(i));
    line.absolute *= magnitude;
    return line;
  }

  bool along_direction(Movable& at, const Tensor& gradient) {
    const Tensor direction = random_like(gradient.shape(), rng_);
    const auto moved = [&](double t) {
      for (Size i = 0; i < at.elements(); ++i) at.set(i, at.at(i) + t * direction.at(i));
      const double result = value();
      for (Size i = 0; i < at.elements(); ++i) at.set(i, at.at(i));
      return result;
    };
    return compare_slope(line(moved, options_.step), dot(gradient, direction)).passed();
  }

  // A direction also fails where some elements are at kinks; one by one these pass.
  std::optional<CheckedElement> worst_element(Movable& at, const Tensor& gradient) {
    std::optional<CheckedElement> worst;
    const Size count = at.elements(), take = std::min(count, kMostElements);
    for (Size k = 0; k < take; ++k) {
      const Size index = k * count / take;
      const auto moved = [&](double t) {
        at.set(index, at.at(index) + t);
        const double result = value();
        at.set(index, at.at(index));
        return result;
      };
      CheckedElement e = compare_slope(
          line(moved, options_.step * std::max(1.0, std::abs(at.at(index)))), gradient.at(index));
      e.index = index;
      if (e.kind == CheckedElement::Kind::jump || e.kind == CheckedElement::Kind::not_finite)
        continue;  // there is no derivative, so none that is wrong
      if (!e.passed() && (!worst || !(e.error <= worst->error))) worst = e;
    }
    return worst;
  }

  Operation& op_;
  const CheckOptions& options_;
  Rng rng_;
  Tensor weights_;
  std::vector<Tensor> gradients_;
};

std::string input_name(const Operand& input, int number) {
  const Parameter* parameter = parameter_of(input);
  return parameter ? parameter->name() : fmt::format("input {}", number);
}

Culprit blame(const Operation& op, Culprit::Kind kind) {
  Culprit culprit;
  culprit.kind = kind;
  culprit.operation = op.name();
  culprit.place = op.place().to_string();
  culprit.time_step = op.place().time_step();
  return culprit;
}

/// Finds constants that are the value of something recorded, in its memory or a copy: there the
/// gradient was cut off.
class CutOffs {
 public:
  void know(const Node* node, const Tensor& value, const std::string& name) {
    by_memory_.emplace(node->value.data<char>(), name);
    if (varied(value)) by_content_.emplace(content(value), name);
  }
  std::optional<Culprit> among_inputs(const Operation& op) const {
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      if (inputs[i].tracked() || !inputs[i].node() || !inputs[i].node()->value) continue;
      const std::string* name = name_of(inputs[i]);
      if (!name) continue;
      Culprit culprit = blame(op, Culprit::Kind::constant);
      culprit.input = *name;
      culprit.shape = inputs[i].shape();
      return culprit;
    }
    return {};
  }

 private:
  // Values computed again lie in other memory than what was detached from them.
  const std::string* name_of(const Operand& input) const {
    const auto memory = by_memory_.find(input.node()->value.data<char>());
    if (memory != by_memory_.end()) return &memory->second;
    const Tensor value = input.variable().value();
    const auto same = varied(value) ? by_content_.find(content(value)) : by_content_.end();
    return same == by_content_.end() ? nullptr : &same->second;
  }
  // Zeros, ones and the like are equal by chance.
  static bool varied(const Tensor& value) {
    return value.elements() > 1 && value.at(0) != value.at(value.elements() - 1);
  }
  static std::string content(const Tensor& value) {
    const Tensor dense = value.dense();
    return {reinterpret_cast<const char*>(dense.bytes()),
            static_cast<std::size_t>(dense.elements() * bytes_of(dense.dtype()))};
  }

  std::unordered_map<const char*, std::string> by_memory_;
  std::unordered_map<std::string, std::string> by_content_;
};

bool depends_on(const std::unordered_set<const Node*>& reached, const Operation& op) {
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    if (inputs[i].tracked() && reached.count(inputs[i].node()) > 0) return true;
  }
  return false;
}

std::string result_of(const Operation& op) {
  const std::string place = op.place().to_string();
  return fmt::format("the result of {}{}", op.name(), place.empty() ? "" : " in " + place);
}

std::optional<Culprit> check_alone(Operation& op, const std::unordered_set<const Node*>& reached,
                                   const CheckOptions& options) {
  LocalCheck check(op, options);
  if (check.value_differs()) return blame(op, Culprit::Kind::value);
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    if (!inputs[i].tracked() || reached.count(inputs[i].node()) == 0) continue;
    const std::optional<CheckedElement> wrong = check.wrong_input(i);
    if (!wrong) continue;
    Culprit culprit = blame(op, Culprit::Kind::backward);
    culprit.input = input_name(inputs[i], i);
    culprit.shape = inputs[i].shape();
    culprit.element = *wrong;
    return culprit;
  }
  return {};
}

}  // namespace

std::optional<Culprit> find_culprit(Tape& tape, const std::vector<Variable>& leaves,
                                    const Operation* forward_end, const CheckOptions& options) {
  tape.restore_all();
  const Tape::Pause pause;
  CutOffs cut_offs;
  std::unordered_set<const Node*> reached;  // depends on the leaves
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const ParameterUse* use = leaves[i].node()->use;
    cut_offs.know(leaves[i].node(), leaves[i].value(),
                  use ? use->parameter.name() : fmt::format("input {}", i));
    reached.insert(leaves[i].node());
  }
  std::optional<Culprit> cut_off;
  bool in_sweep = false;
  for (const Operation* op = tape.oldest(); op; op = op->next()) {
    if (!cut_off) {
      cut_off = cut_offs.among_inputs(*op);
      if (cut_off) cut_off->in_sweep = in_sweep;
    }
    if (depends_on(reached, *op)) {
      reached.insert(op->output().node());
      cut_offs.know(op->output().node(), op->output().variable().value(), result_of(*op));
      // The tape lends its operations to be read. This one runs again, and is as it was afterwards.
      std::optional<Culprit> culprit = check_alone(const_cast<Operation&>(*op), reached, options);
      if (culprit) culprit->in_sweep = in_sweep;
      if (culprit) return culprit;
    }
    in_sweep = in_sweep || op == forward_end;
  }
  return cut_off;
}

}  // namespace hindsight
