#include <hindsight/autograd/inspect/profile.h>
#include <hindsight/autograd/inspect/table.h>
#include <hindsight/autograd/tape/parameter_use.h>

#include <algorithm>
#include <utility>

namespace hindsight {
namespace {

thread_local Profile* current_profile = nullptr;

std::vector<std::string> cells_of(const Profile::Row& row) {
  return {row.place,
          row.op,
          fmt::format("{}", row.count),
          fmt::format("{:.3f}", 1e3 * row.forward),
          fmt::format("{:.3f}", 1e3 * row.backward),
          fmt::format("{}", row.bytes)};
}

}  // namespace

Profile::Profile() : outer_profile_(std::exchange(current_profile, this)) {}
Profile::~Profile() { current_profile = outer_profile_; }

Profile* Profile::current() { return current_profile; }

Profile::Row& Profile::row(std::string place, std::string_view op) {
  std::pair<std::string, std::string> key(std::move(place), op);
  Row& row = rows_[key];
  if (row.op.empty()) std::tie(row.place, row.op) = std::move(key);
  return row;
}

void Profile::started() {
  if (current_profile == this) started_.push_back({Clock::now()});
}

// The time of an operation without a row of its own counts for the operation around it.
void Profile::ended() {
  if (current_profile != this || started_.empty()) return;
  const Started last = started_.back();
  started_.pop_back();
  if (started_.empty()) return;
  const std::chrono::duration<double> all = Clock::now() - last.begin;
  started_.back().inside += last.counted ? all.count() : last.inside;
}

/// Seconds that the innermost running operation has taken itself, which now has a row of its own.
double Profile::count() {
  if (started_.empty()) return 0;
  Started& last = started_.back();
  last.counted = true;
  return std::chrono::duration<double>(Clock::now() - last.begin).count() - last.inside;
}

void Profile::recorded(const Operation& operation) {
  if (current_profile != this) return;
  const double seconds = count();
  const Node* node = operation.output().node();
  Row& row = this->row(operation.place().modules(), operation.name());
  ++row.count;
  row.forward += seconds;
  row.bytes +=
      operation.output().shape().elements() * bytes_of(node->dtype) + operation.saved_bytes();
  forward_[&operation] = {node->tape, seconds};
}

void Profile::swept(const Operation& operation, bool) {
  add_backward(operation.place().modules(), operation.name());
}

void Profile::flushed(const ParameterUse& use, bool any) {
  if (any) add_backward(use.parameter.name(), "weight gradient");
}

void Profile::add_backward(std::string place, const char* op) {
  if (current_profile != this) return;
  const double seconds = count();
  Row& row = this->row(std::move(place), op);
  ++row.swept;
  row.backward += seconds;
}

double Profile::forward_of(const Operation& operation) const {
  const auto found = forward_.find(&operation);
  // An operation of another tape may have been at this address.
  const bool timed =
      found != forward_.end() && found->second.tape == operation.output().node()->tape;
  return timed ? found->second.seconds : 0;
}

std::vector<Profile::Row> Profile::rows() const {
  std::vector<Row> result;
  for (const auto& [key, row] : rows_) result.push_back(row);
  std::stable_sort(result.begin(), result.end(), [](const Row& a, const Row& b) {
    return a.forward + a.backward > b.forward + b.backward;
  });
  return result;
}

Profile::Row Profile::total() const {
  Row total;
  total.place = "total";
  for (const auto& [key, row] : rows_) {
    total.count += row.count;
    total.swept += row.swept;
    total.forward += row.forward;
    total.backward += row.backward;
    total.bytes += row.bytes;
  }
  return total;
}

std::string Profile::to_string() const {
  detail::Table table({"place", "operation", "count", "forward ms", "backward ms", "bytes"}, 2);
  for (const Row& row : rows()) table.add(cells_of(row));
  table.add_total(cells_of(total()));
  return table.to_string();
}

void Profile::clear() {
  rows_.clear();
  forward_.clear();
}

}  // namespace hindsight
