#include <hindsight/autograd/derivatives/checkpoint.h>
#include <hindsight/autograd/derivatives/forward_sweep.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tensor/on_exit.h>
#include <hindsight/autograd/tensor/random.h>

#include <cstring>
#include <utility>

namespace hindsight {
namespace {

thread_local bool recording_all = false;

/// A 64-bit hash of the tensor's bits.
std::uint64_t fingerprint(const Tensor& values) {
  const Tensor dense = values.dense();
  const std::byte* bytes = dense.bytes();
  const auto count = static_cast<std::size_t>(dense.elements() * bytes_of(dense.dtype()));
  std::uint64_t print = count;
  for (std::size_t i = 0; i < count; i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + i, std::min(sizeof word, count - i));
    print = (print ^ word) * 0x9E3779B97F4A7C15u;
    print ^= print >> 29;
  }
  return print;
}

/// The values in a buffer of their own: a view would keep the whole of a larger value allocated.
Tensor alone(const Variable& x) {
  const Tensor values = x.value();
  const bool all = values.contiguous() &&
                   values.buffer().bytes() == values.elements() * bytes_of(values.dtype());
  return all ? values : values.contiguous_copy();
}

/// What is needed to run a checkpoint's function again.
struct Segment {
  /// An output that the function computed. Constants and inputs that it returned have no entry.
  struct Output {
    std::size_t index;  // among all values that it returned
    std::uint64_t print;
    Variable gradient;  // during a reverse sweep
    Variable tangent;   // during a forward sweep
    Tensor value;       // recomputed
  };
  Tape* tape;
  Operation* operation = nullptr;  // the Checkpoint on the tape
  CheckpointFunction fn;
  std::vector<Variable> inputs;
  RandomRun random;
  std::vector<Output> outputs;

  std::vector<Variable> run_again();
  void restore();
};

/// Records the function again at the end of the tape, which appears to it as it was the first time.
/// TapeError if it computes something different.
std::vector<Variable> Segment::run_again() {
  const Tape::Busy busy(*tape);
  const Tape::Rewound rewound(*tape, *operation);
  const Tape::Current recording(tape);
  const RandomRun::Repeated random_numbers(&random);
  std::vector<Variable> results = fn(inputs);
  for (const Output& output : outputs) {
    if (output.index < results.size() && results[output.index] &&
        fingerprint(results[output.index].value()) == output.print)
      continue;
    const std::string place = ScopePath::current().to_string();
    fail<TapeError>(
        "checkpoint{}: output {} of the function is different when it is recomputed; what the "
        "function captured, and modes such as Evaluation, must be the same during the sweep",
        place.empty() ? "" : " in " + place, output.index);
  }
  return results;
}

/// Recomputes the values of all outputs.
void Segment::restore() {
  const Operation* mark = tape->newest();
  const OnExit dropped{[&] { tape->drop_after(mark); }};
  const std::vector<Variable> results = run_again();
  for (Output& output : outputs) output.value = alone(results[output.index]);
}

/// Stands for the segment on the tape. Its output has one number for each output of the segment;
/// the gradient of that number says whether the output received a gradient.
class Checkpoint final : public Operation {
 public:
  Checkpoint(std::shared_ptr<Segment> segment, const std::vector<Variable>& inputs)
      : segment_(std::move(segment)), inputs_(*segment_->tape, static_cast<int>(inputs.size())) {
    for (int i = 0; i < inputs_.count(); ++i) {
      inputs_[i] =
          Operand(inputs[static_cast<std::size_t>(i)], Operand::Save::nothing, *segment_->tape);
    }
  }
  const char* name() const override { return "checkpoint"; }
  std::pair<const Operand*, int> inputs() const override {
    return {inputs_.data(), inputs_.count()};
  }
  void run() override {
    Node* node = output_.node();
    node->value = Buffer(node->bytes());
  }
  void backward(ReverseSweep& sweep) override {
    const Tensor reached = sweep.gradient_variable(output_).value();
    const ScopeGuard there(place());
    Tape* tape = segment_->tape;
    const Operation* mark = tape->newest();
    try {
      std::vector<Variable> results = segment_->run_again();
      for (std::size_t i = 0; i < segment_->outputs.size(); ++i) {
        Segment::Output& output = segment_->outputs[i];
        output.value = Tensor();
        const Variable gradient = std::exchange(output.gradient, Variable());
        if (reached.at(static_cast<Size>(i)) == 0) continue;
        sweep.add(Operand(results[output.index], Operand::Save::nothing, *tape), gradient);
      }
      results.clear();
      sweep.recorded() ? tape->differentiate_recorded(mark, sweep) : tape->backward_to(mark);
    } catch (...) {
      tape->drop_after(mark);
      throw;
    }
  }
  // Sweeps the recomputed segment; each CheckpointOutput then sets the tangent found for it.
  void jvp(ForwardSweep& sweep) override {
    for (Segment::Output& output : segment_->outputs)
      output.tangent = Variable();  // left by a sweep that threw
    if (!sweep.moves(*this)) return;
    const ScopeGuard there(place());
    Operation* const mark = segment_->tape->newest();
    const std::vector<Variable> results = segment_->run_again();
    const std::unique_ptr<ForwardSweep> inside = sweep.nested();
    inside->run(mark);
    for (Segment::Output& output : segment_->outputs)
      output.tangent = inside->tangent(results[output.index]);
  }

 private:
  std::shared_ptr<Segment> segment_;
  Operands inputs_;
};

/// One output of the segment: its backward stores the gradient in the segment, for the Checkpoint.
class CheckpointOutput final : public Operation {
 public:
  CheckpointOutput(std::shared_ptr<Segment> segment, std::size_t which, const Variable& joint)
      : segment_(std::move(segment)),
        which_(which),
        input_(Variable(joint.node(), joint.layout().slice(0, static_cast<Size>(which), 1)),
               Operand::Save::nothing, *segment_->tape) {}
  const char* name() const override { return "checkpoint_output"; }
  std::pair<const Operand*, int> inputs() const override { return {&input_, 1}; }
  void run() override {
    Segment::Output& output = segment_->outputs[which_];
    if (!output.value) {
      const ScopeGuard there(place());
      segment_->restore();
    }
    output_.node()->value = std::exchange(output.value, Tensor()).buffer();
  }
  void backward(ReverseSweep& sweep) override {
    segment_->outputs[which_].gradient = sweep.gradient_variable(output_);
    sweep.add(input_, Variable(Tensor::full({1}, 1, input_.node()->dtype)));
  }
  void jvp(ForwardSweep& sweep) override {
    const Variable tangent = std::exchange(segment_->outputs[which_].tangent, Variable());
    if (tangent) sweep.set(output_, tangent);
  }

 private:
  std::shared_ptr<Segment> segment_;
  std::size_t which_;
  Operand input_;
};

/// The operations recorded after `mark`, regarded as one operation.
struct Contents {
  std::vector<bool> computed;    // for each result, whether these operations computed it
  std::vector<Variable> inputs;  // values recorded before that they read
};

template <class F>
void for_each_after(const Operation* mark, const Tape& tape, F&& f) {
  for (const Operation* op = mark ? mark->next() : tape.oldest(); op; op = op->next()) f(*op);
}

Contents contents_after(const Operation* mark, const Tape& tape,
                        const std::vector<Variable>& results) {
  Contents contents;
  const auto for_inputs = [](const Operation& op, auto&& f) {
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      if (inputs[i].recorded()) f(inputs[i]);
    }
  };
  const OnExit unmark{[&] {
    for_each_after(mark, tape, [&](const Operation& op) {
      for_inputs(op, [](const Operand& input) { input.node()->visited = false; });
      op.output().node()->visited = false;
    });
  }};
  for_each_after(mark, tape, [](const Operation& op) { op.output().node()->visited = true; });
  for (const Variable& result : results)
    contents.computed.push_back(result && result.node()->visited);
  for_each_after(mark, tape, [&](const Operation& op) {
    for_inputs(op, [&](const Operand& input) {
      if (input.node()->visited) return;
      input.node()->visited = true;
      contents.inputs.push_back(input.variable());
    });
  });
  for_each_after(mark, tape, [](const Operation& op) {
    op.output().node()->tape = 0;  // a constant for remaining holders: no operation computes it
  });
  return contents;
}

/// Records a Checkpoint, and the results that the segment computed as its outputs.
void record(const std::shared_ptr<Segment>& segment, const Contents& contents,
            std::vector<Variable>* results) {
  Tape& tape = *segment->tape;
  const auto count = static_cast<Size>(segment->outputs.size());
  const Variable joint = Variable::make({count}, (*results)[segment->outputs[0].index].dtype());
  {
    const OperationScope scope;
    auto checkpoint = new_operation<Checkpoint>(tape, segment, contents.inputs);
    segment->operation = checkpoint.get();
    hindsight::record(std::move(checkpoint), joint);
  }
  for (std::size_t i = 0; i < segment->outputs.size(); ++i) {
    const OperationScope scope;
    Variable& result = (*results)[segment->outputs[i].index];
    hindsight::record(new_operation<CheckpointOutput>(tape, segment, i, joint), result);
  }
}

}  // namespace

detail::WithoutCheckpoints::WithoutCheckpoints() : outer_(std::exchange(recording_all, true)) {}
detail::WithoutCheckpoints::~WithoutCheckpoints() { recording_all = outer_; }

std::vector<Variable> detail::checkpoint(CheckpointFunction fn,
                                         const std::vector<Variable>& inputs) {
  Tape* tape = Tape::current();
  if (!tape || recording_all) return fn(inputs);
  const auto segment = std::allocate_shared<Segment>(pool::Allocator<Segment>());
  segment->tape = tape;
  segment->fn = std::move(fn);
  segment->inputs = inputs;
  const Operation* mark = tape->newest();
  std::vector<Variable> results;
  {
    const Tape::Busy busy(*tape);
    const RandomRun::Noted random_numbers(&segment->random);
    results = segment->fn(inputs);
  }
  if (tape->newest() == mark) return results;
  const Contents contents = contents_after(mark, *tape, results);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (!contents.computed[i]) continue;
    const Tensor values = alone(results[i]);
    segment->outputs.push_back({i, fingerprint(values), {}, {}, {}});
    results[i] = Variable(values);
  }
  tape->drop_after(mark);
  if (!segment->outputs.empty()) record(segment, contents, &results);
  return results;
}

}  // namespace hindsight
