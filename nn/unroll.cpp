#include <cxxabi.h>
#include <hindsight/autograd/derivatives/checkpoint.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/sequence.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tape/tape.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/unroll.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <typeinfo>

namespace hindsight::nn::detail {
namespace {

/// Steps are projected in blocks of about this many rows: enough for a product at full speed, few
/// enough that the result, and its gradient in the reverse sweep, are still in the cache when the
/// steps read them.
constexpr Size kProjectedRows = 512;

/// "LstmCell".
std::string type_name(const Cell& cell) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(typeid(cell).name(), nullptr, nullptr, &status), std::free);
  const std::string name = text ? text.get() : typeid(cell).name();
  const std::string house = "hindsight::nn::";
  return name.compare(0, house.size(), house) == 0 ? name.substr(house.size()) : name;
}

void check_next(const Cell& cell, const State& next, const State& given, Size rows) {
  if (next.size() != given.size()) {
    fail<ShapeError>("Recurrent: the step of {}, {}, returned a state of {} parts; it was given {}",
                     type_name(cell), ScopePath::current().to_string(), next.size(), given.size());
  }
  const Widths widths = cell.state_sizes();
  for (std::size_t k = 0; k < widths.size(); ++k) {
    const Variable& part = next[static_cast<int>(k)];
    if (part && part.rank() == 2 && part.size(0) == rows && part.size(1) == widths[k]) continue;
    fail<ShapeError>(
        "Recurrent: the step of {}, {}, returned part {} of its state as {}; {} is needed",
        type_name(cell), ScopePath::current().to_string(), k,
        part ? fmt::format("{}", part.shape()) : "an empty Variable", Shape{rows, widths[k]});
  }
}

/// The state of the sequences that have not ended; the others' wait until all steps are done.
class LiveState {
 public:
  LiveState(const State& all, Size rows) : state(all), rows_(rows) {
    for (int k = 0; k < all.size(); ++k) by_row_.push_back(has_rows(all[k], rows));
  }

  State state;
  Size rows() const { return rows_; }
  /// Sequences from place `count` on have ended.
  void keep(Size count) {
    if (count == rows_) return;
    ended_.push_back(rows_of(count, rows_ - count));
    state = rows_of(0, count);
    rows_ = count;
  }
  /// The state with the rows of all sequences.
  State all() const {
    State result;
    for (int k = 0; k < state.size(); ++k) {
      const bool whole = ended_.empty() || !by_row_[static_cast<std::size_t>(k)];
      result.push_back(whole ? state[k] : joined(k));
    }
    return result;
  }

 private:
  State rows_of(Size first, Size count) const {
    State result;
    for (int k = 0; k < state.size(); ++k) {
      result.push_back(by_row_[static_cast<std::size_t>(k)] ? slice(state[k], 0, first, count)
                                                            : state[k]);
    }
    return result;
  }
  Variable joined(int k) const {
    Size rows = rows_;
    for (const State& ended : ended_) rows += ended[k].size(0);
    Sequence all(rows);
    all.put_steps(0, state[k]);
    Size place = rows_;
    for (auto ended = ended_.rbegin(); ended != ended_.rend(); ++ended) {
      all.put_steps(place, (*ended)[k]);
      place += (*ended)[k].size(0);
    }
    return all.values();
  }

  Size rows_;
  pool::Vector<bool> by_row_;  // which parts have a row for each sequence, and are not shared
  pool::Vector<State> ended_;
};

/// A run over the steps [begin, end) of a layer.
class StepRun {
 public:
  StepRun(const Layer& layer, Size begin, Size end, const State& state)
      : layer_(layer),
        cell_(*layer.cell),
        packing_(*layer.packing),
        begin_(begin),
        end_(end),
        parts_(static_cast<int>(cell_.state_sizes().size())),
        live_(state, packing_.batch()),
        outputs_(places()),
        states_(layer.wants_states ? static_cast<std::size_t>(parts_) : 0, Sequence(places())) {}

  StepResults run(State* state) {
    for (Size i = begin_; i < end_;) i += run_block(i);
    *state = live_.all();
    StepResults results{layer_.wants_outputs ? outputs_.values() : Variable(), {}};
    for (const Sequence& part : states_) results.states.push_back(part.values());
    return results;
  }

 private:
  /// Number of values that a Sequence holds: rows if packed, else steps.
  Size places() const {
    return layer_.packed() ? packing_.offset(end_) - packing_.offset(begin_) : end_ - begin_;
  }

  /// Projects some steps from i on and runs them. Returns their number.
  Size run_block(Size i) {
    Size count = 1;
    while (i + count < end_ &&
           packing_.offset(i + count + 1) - packing_.offset(i) <= kProjectedRows)
      ++count;
    const Variable projected = project(i, count);
    const bool scans = cell_.scans() && !layer_.step_by_step;
    for (Size done = 0; done < count;) {
      const Size rows = packing_.rows(i + done);
      live_.keep(rows);
      if (!scans) {
        step(i + done, projected_step(projected, i, count, i + done));
        ++done;
        continue;
      }
      Size alike = 1;
      while (done + alike < count && packing_.rows(i + done + alike) == rows) ++alike;
      scan(i + done, projected_steps(projected, i, i + done, alike));
      done += alike;
    }
    return count;
  }

  Variable project(Size i, Size count) const {
    const Size time = std::min(layer_.time_of(i), layer_.time_of(i + count - 1));
    const Scope scope("projection", TimeSteps{time, time + count - 1});
    if (!layer_.packed()) {
      const Size start = std::min(layer_.place_of(i), layer_.place_of(i + count - 1));
      return layer_.vectors ? cell_.project(slice(layer_.vectors, 0, start, count))
                            : cell_.project(layer_.symbols.rows(start, count));
    }
    const Size first = packing_.offset(i), rows = packing_.offset(i + count) - first;
    if (layer_.vectors) return cell_.project(unsqueeze(slice(layer_.vectors, 0, first, rows), 0));
    return cell_.project(as_row(layer_.symbols.rows(first, rows)));
  }

  /// Step i of what project(start, count) returned: (rows, ...).
  Variable projected_step(const Variable& projected, Size start, Size count, Size i) const {
    if (!layer_.packed())
      return projected[layer_.place_of(i) -
                       std::min(layer_.place_of(start), layer_.place_of(start + count - 1))];
    return slice(projected[0], 0, packing_.offset(i) - packing_.offset(start), packing_.rows(i));
  }

  /// Steps [i, i + count), of as many rows each: (count, rows, ...).
  Variable projected_steps(const Variable& projected, Size start, Size i, Size count) const {
    if (!layer_.packed()) return slice(projected, 0, i - start, count);
    const Size rows = packing_.rows(i);
    const Variable packed =
        slice(projected[0], 0, packing_.offset(i) - packing_.offset(start), count * rows);
    Shape shape = packed.shape();
    shape.set(0, rows);
    shape.insert(0, count);
    return reshape(packed, shape);
  }

  void step(Size i, const Variable& px) {
    const Scope scope(TimeStep{layer_.time_of(i)});
    State next = cell_.step(px, live_.state);
    check_next(cell_, next, live_.state, live_.rows());
    const Variable output = cell_.output(px, next);
    const Variable placed = put(&outputs_, i, 1, output);
    // A view of the collected outputs is next in memory to the step before.
    if (output.node() == next[0].node() && output.layout() == next[0].layout()) next[0] = placed;
    for (std::size_t k = 0; k < states_.size(); ++k) {
      Variable& part = next[static_cast<int>(k)];
      part = put(&states_[k], i, 1, part);
    }
    live_.state = std::move(next);
  }

  void scan(Size i, const Variable& px) {
    const Size count = px.size(0), rows = live_.rows();
    const Size time = std::min(layer_.time_of(i), layer_.time_of(i + count - 1));
    const Scope scope("scan", TimeSteps{time, time + count - 1});
    const State all = cell_.scan(px, live_.state);
    put(&outputs_, i, count, cell_.output(px, all));
    for (int k = 0; k < parts_; ++k) {
      if (all[k].shape() != Shape{count, rows, cell_.state_sizes()[static_cast<std::size_t>(k)]})
        fail<ShapeError>("Recurrent: the scan of {} returned part {} of its states as {}",
                         type_name(cell_), k, all[k].shape());
      if (layer_.wants_states) put(&states_[static_cast<std::size_t>(k)], i, count, all[k]);
      live_.state[k] = all[k][count - 1];
    }
  }

  /// Puts the values of steps [i, i + count) to their place: (rows, width) of one step, or (count,
  /// rows, width). Returns the place.
  Variable put(Sequence* sequence, Size i, Size count, const Variable& values) const {
    if (layer_.packed()) {
      const Size first = packing_.offset(i) - packing_.offset(begin_);
      return sequence->put_steps(
          first,
          values.rank() == 2 ? values : reshape(values, {count * values.size(1), values.size(2)}));
    }
    const Size earliest = std::min(layer_.place_of(begin_), layer_.place_of(end_ - 1));
    const Size first = std::min(layer_.place_of(i), layer_.place_of(i + count - 1)) - earliest;
    return values.rank() == 2 ? sequence->put(first, values) : sequence->put_steps(first, values);
  }

  const Layer& layer_;
  const Cell& cell_;
  const Packing& packing_;
  Size begin_, end_;
  int parts_;
  LiveState live_;
  Sequence outputs_;
  pool::Vector<Sequence> states_;
};

/// The steps [begin, end) as a checkpoint.
StepResults run_segment(const Layer& layer, Size begin, Size end, State* state) {
  const Size first = std::min(layer.time_of(begin), layer.time_of(end - 1));
  const Scope scope("segment", TimeSteps{first, first + end - begin - 1});
  const auto run = [=](const std::vector<Variable>& given) {
    const auto mode = layer.trains ? nullptr : std::make_unique<Evaluation>();
    State after;
    for (const Variable& part : given) after.push_back(part);
    const StepResults results = StepRun(layer, begin, end, after).run(&after);
    std::vector<Variable> all;
    for (int k = 0; k < after.size(); ++k) all.push_back(after[k]);
    all.insert(all.end(), results.states.begin(), results.states.end());
    if (results.outputs) all.push_back(results.outputs);
    return all;
  };
  std::vector<Variable> given;
  for (int k = 0; k < state->size(); ++k) given.push_back((*state)[k]);
  const std::vector<Variable> all = checkpoint(run, given);
  // What begin() appended is part of the state: a step may have changed it.
  const std::size_t given_parts = given.size(), parts = layer.cell->state_sizes().size();
  for (std::size_t k = 0; k < given_parts; ++k) (*state)[static_cast<int>(k)] = all[k];
  StepResults results;
  for (std::size_t k = 0; layer.wants_states && k < parts; ++k)
    results.states.push_back(all[given_parts + k]);
  if (layer.wants_outputs) results.outputs = all.back();
  return results;
}

/// All steps in segments, each a checkpoint.
StepResults run_segments(const Layer& layer, State* state) {
  const Packing& packing = *layer.packing;
  const Size steps = packing.steps();
  const Size places = layer.packed() ? packing.offset(steps) : steps;
  pool::Vector<Sequence> sequences;
  for (Size begin = 0; begin < steps; begin += layer.checkpoint_every) {
    const Size end = std::min(steps, begin + layer.checkpoint_every);
    StepResults part = run_segment(layer, begin, end, state);
    const Size first = layer.packed() ? packing.offset(begin)
                                      : std::min(layer.place_of(begin), layer.place_of(end - 1));
    if (part.outputs) part.states.push_back(part.outputs);
    if (sequences.empty()) sequences.assign(part.states.size(), Sequence(places));
    for (std::size_t k = 0; k < part.states.size(); ++k)
      sequences[k].put_steps(first, part.states[k]);
  }
  StepResults results;
  for (const Sequence& sequence : sequences) results.states.push_back(sequence.values());
  if (layer.wants_outputs) {
    results.outputs = results.states.back();
    results.states.pop_back();
  }
  return results;
}

}  // namespace

StepResults unroll_layer(const Layer& layer, State* state) {
  const auto parts = static_cast<int>(layer.cell->state_sizes().size());
  StepResults results = layer.checkpoint_every > 0 && Tape::current()
                            ? run_segments(layer, state)
                            : StepRun(layer, 0, layer.packing->steps(), *state).run(state);
  state->resize(parts);
  return results;
}

}  // namespace hindsight::nn::detail
