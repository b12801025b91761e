#include "case.h"

#include <cmath>

namespace hindsight::conformance {
namespace {

constexpr double kAbsolute = 1e-9, kRelative = 1e-7;  // |a - b| <= 1e-9 + 1e-7 |b|

/// The difference over the allowed one: at most 1 if the numbers agree.
double excess(double got, double expected) {
  if (got == expected || (std::isnan(got) && std::isnan(expected))) return 0;
  const double ratio = std::abs(got - expected) / (kAbsolute + kRelative * std::abs(expected));
  return std::isfinite(expected) && std::isfinite(ratio) ? ratio : HUGE_VAL;
}

/// The indices of an element, from its row-major position: "[2, 1]".
std::string place(const Shape& shape, Size position) {
  std::string text;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    text = fmt::format("{}{}{}", position % shape[axis], text.empty() ? "" : ", ", text);
    position /= shape[axis];
  }
  return "[" + text + "]";
}

const std::string& metadata_of(const nn::SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) fail<FileError>("the file's metadata lacks '{}'", key);
  return found->second;
}

}  // namespace

void Options::finish() const {
  for (const auto& [name, value] : values_.items()) {
    if (taken_.count(name) == 0) throw Skip{"option " + name + " = " + value.dump()};
  }
}

Case::Case(const std::filesystem::path& path)
    : options(Json()), file_(path.string()), kind_(metadata_of(file_, "kind")) {
  options = Options(Json::parse(metadata_of(file_, "options")));
}

Tensor Case::tensor(const std::string& name) {
  used_.insert(name);
  return file_.tensor(name).to(DType::f64);
}

Indices Case::indices(const std::string& name) {
  used_.insert(name);
  return file_.indices(name);
}

std::vector<std::string> Case::names_after(const std::string& prefix) const {
  std::vector<std::string> names;
  for (const nn::StoredTensor& stored : file_.tensors()) {
    if (stored.name.rfind(prefix, 0) == 0) names.push_back(stored.name.substr(prefix.size()));
  }
  return names;
}

void Case::compare(const std::string& name, const Tensor& got, const std::string& how) {
  const Tensor expected = tensor(name);
  const std::string what = how.empty() ? name : name + " (" + how + ")";
  if (got.shape() != expected.shape()) {
    differs(fmt::format("{}: expected shape {}, got {}", what, expected.shape(), got.shape()));
    return;
  }
  for (Size i = 0; i < expected.elements(); ++i) {
    const double e = excess(got.at(i), expected.at(i));
    if (e <= worst_excess_) continue;
    worst_excess_ = e;
    worst_ = fmt::format("{} {}: expected {}, got {}", what, place(expected.shape(), i),
                         expected.at(i), got.at(i));
  }
}

void Case::differs(const std::string& what) {
  if (worst_excess_ == HUGE_VAL) return;
  worst_excess_ = HUGE_VAL;
  worst_ = what;
}

void Case::finish() const {
  options.finish();
  for (const nn::StoredTensor& stored : file_.tensors()) {
    if (used_.count(stored.name) == 0) throw Skip{"tensor " + stored.name};
  }
}

}  // namespace hindsight::conformance
