#include <hindsight/autograd/inspect/profile.h>
#include <hindsight/autograd/inspect/table.h>
#include <hindsight/autograd/inspect/trace.h>
#include <hindsight/autograd/tape/parameter_use.h>

#include <map>
#include <unordered_set>

namespace hindsight {
namespace {

/// Counts the bytes that operations hold; blocks of constants and inputs only once.
class Holdings {
 public:
  Size of(const Operation& op) {
    Size bytes = op.saved_bytes();
    const Node* output = op.output().node();
    if (output->value) {
      bytes += output->in_parts ? op.output().shape().elements() * bytes_of(output->dtype)
                                : output->value.bytes();
    }
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      const Node* node = inputs[i].node();
      if (!node) continue;
      const bool result = inputs[i].recorded() && (node->computed || node->in_parts);
      if (!result && !parameter_of(inputs[i]) && node->value &&
          counted_.insert(node->value.data<std::byte>()).second)
        bytes += node->value.bytes();
    }
    return bytes;
  }

 private:
  std::unordered_set<const std::byte*> counted_;
};

TraceRow row_of(const Operation& op, const TraceOptions& options, Holdings* holdings) {
  TraceRow row;
  row.op = op.name();
  row.place = options.fold_time ? op.place().modules() : op.place().to_string();
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    if (inputs[i].node()) row.inputs.push_back(inputs[i].shape());
  }
  row.output = op.output().shape();
  row.count = 1;
  row.bytes = holdings->of(op);
  if (const Profile* profile = Profile::current()) row.seconds = profile->forward_of(op);
  return row;
}

void add(const TraceRow& from, TraceRow* to) {
  to->count += from.count;
  to->bytes += from.bytes;
  to->seconds += from.seconds;
}

std::string shapes_of(const TraceRow& row) {
  std::string text;
  for (const Shape& shape : row.inputs) text += fmt::format("{}{}", text.empty() ? "" : " ", shape);
  return fmt::format("{} -> {}", text, row.output);
}

}  // namespace

Trace trace(const Tape& tape, const TraceOptions& options) {
  Trace result;
  Holdings holdings;
  std::map<std::pair<std::string, std::string>, std::size_t> folded;  // which row
  for (const Operation* op = tape.oldest(); op; op = op->next()) {
    TraceRow row = row_of(*op, options, &holdings);
    const auto found = options.fold_time
                           ? folded.emplace(std::pair(row.place, row.op), result.rows.size())
                           : std::pair(folded.end(), true);
    if (found.second) {
      result.rows.push_back(std::move(row));
    } else {
      add(row, &result.rows[found.first->second]);
    }
  }
  return result;
}

TraceRow Trace::total() const {
  TraceRow total;
  total.op = "total";
  for (const TraceRow& row : rows) add(row, &total);
  return total;
}

std::string Trace::to_string() const {
  const TraceRow sum = total();
  const bool folded = sum.count != static_cast<Size>(rows.size()), timed = sum.seconds > 0;
  std::vector<std::string> titles{"operation", "place", "inputs -> output"};
  if (folded) titles.push_back("count");
  titles.push_back("bytes");
  if (timed) titles.push_back("forward ms");
  detail::Table table(titles, 3);
  const auto cells_of = [&](const TraceRow& row, const std::string& shapes) {
    std::vector<std::string> cells{row.op, row.place, shapes};
    if (folded) cells.push_back(fmt::format("{}", row.count));
    cells.push_back(fmt::format("{}", row.bytes));
    if (timed) cells.push_back(fmt::format("{:.3f}", 1e3 * row.seconds));
    return cells;
  };
  for (const TraceRow& row : rows) table.add(cells_of(row, shapes_of(row)));
  table.add_total(cells_of(sum, fmt::format("{} operations", sum.count)));
  return table.to_string();
}

}  // namespace hindsight
