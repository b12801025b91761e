#include <hindsight/autograd/profile.h>
#include <hindsight/autograd/table.h>

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

Profile::Profile() : outer_(std::exchange(current_profile, this)) {}
Profile::~Profile() { current_profile = outer_; }

Profile* Profile::current() { return current_profile; }

Profile::Row& Profile::row(std::string place, std::string_view op) {
  std::pair<std::string, std::string> key(std::move(place), op);
  Row& row = rows_[key];
  if (row.op.empty()) std::tie(row.place, row.op) = std::move(key);
  return row;
}

void Profile::recorded(const Operation& operation, std::uint64_t tape) {
  const double seconds = innermost_ ? innermost_->seconds() : 0;
  Row& row = this->row(operation.place().modules(), operation.name());
  ++row.count;
  row.forward += seconds;
  row.bytes += operation.output().shape().elements() * bytes_of(operation.output().node()->dtype) +
               operation.kept_bytes();
  forward_[&operation] = {tape, seconds};
}

double Profile::forward_of(const Operation& operation) const {
  const auto found = forward_.find(&operation);
  // Operations of other tapes may have lain at this address.
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
  Table table({"place", "operation", "count", "forward ms", "backward ms", "bytes"}, 2);
  for (const Row& row : rows()) table.add(cells_of(row));
  table.add_total(cells_of(total()));
  return table.to_string();
}

void Profile::clear() {
  rows_.clear();
  forward_.clear();
}

void ProfileTimer::start() {
  outer_ = std::exchange(profile_->innermost_, this);
  begin_ = Clock::now();
}

double ProfileTimer::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begin_).count() - inside_;
}

void ProfileTimer::stop() {
  profile_->innermost_ = outer_;
  if (outer_) outer_->inside_ += seconds() + inside_;
}

void ProfileTimer::add(const std::string& place, const char* op) const {
  const double taken = seconds();
  Profile::Row& row = profile_->row(place, op);
  ++row.swept;
  row.backward += taken;
}

}  // namespace hindsight
