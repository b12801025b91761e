#include "measure.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace hindsight::random_programs {

Tensors Recording::gradient() { return copies(tape_.gradient(loss_, inputs_)); }

std::vector<Variable> Recording::recorded_gradient() {
  return tape_.gradient(loss_, inputs_, {.create_graph = true});
}

double Recording::tangent(const Tensors& directions) {
  return tape_.tangent({loss_}, inputs_, as_variables(directions))[0].item();
}

Tensors copies(const std::vector<Variable>& variables) {
  Tensors result;
  for (const Variable& v : variables) result.push_back(v.value().contiguous_copy());
  return result;
}

Tensors random_directions(const Instance& instance, std::uint64_t seed) {
  Tensors result;
  for (std::size_t i = 0; i < instance.count(); ++i)
    result.push_back(random_values(instance.value(i).shape(), instance.dtype(), seed + i));
  return result;
}

std::vector<Variable> as_variables(const Tensors& tensors) {
  std::vector<Variable> result;
  for (const Tensor& t : tensors) result.push_back(t ? Variable(t) : Variable());
  return result;
}

Product dot(const Tensors& a, const Tensors& b) {
  Product result;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i] || !b[i]) continue;
    for (Size k = 0; k < a[i].elements(); ++k) {
      const double product = a[i].at(k) * b[i].at(k);
      result.sum += product;
      result.magnitude += std::abs(product);
    }
  }
  return result;
}

double largest(const Tensors& tensors) {
  double result = 0;
  for (const Tensor& t : tensors) {
    for (Size k = 0; k < t.elements(); ++k) result = std::max(result, std::abs(t.at(k)));
  }
  return result;
}

std::string difference(const Instance& instance, const Tensors& got, const Tensors& wanted,
                       double relative) {
  const double allowed = relative * std::max(0.01, largest(wanted));
  double worst = 0;
  std::string text;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (got[i].shape() != wanted[i].shape())
      return fmt::format("{}: shape {} but {} is right", instance.name(i), got[i].shape(),
                         wanted[i].shape());
    for (Size k = 0; k < wanted[i].elements(); ++k) {
      const double apart = std::abs(got[i].at(k) - wanted[i].at(k));
      if (apart <= allowed || (apart <= worst && worst > 0)) continue;  // NaN is never below
      worst = apart;
      text = fmt::format("{}{}: {:.12g} but {:.12g} is right; allowed difference {:.2g}",
                         instance.name(i), index_text(k, wanted[i].shape()), got[i].at(k),
                         wanted[i].at(k), allowed);
    }
  }
  return text;
}

std::string difference_of_bits(const Instance& instance, const Tensors& got,
                               const Tensors& wanted) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (got[i].shape() != wanted[i].shape())
      return fmt::format("{}: shape {} but {} before", instance.name(i), got[i].shape(),
                         wanted[i].shape());
    const auto bytes = static_cast<std::size_t>(wanted[i].elements() * bytes_of(wanted[i].dtype()));
    if (std::memcmp(got[i].bytes(), wanted[i].bytes(), bytes) == 0) continue;
    for (Size k = 0; k < wanted[i].elements(); ++k) {
      if (got[i].at(k) == wanted[i].at(k)) continue;
      return fmt::format("{}{}: {:.17g} but {:.17g} before", instance.name(i),
                         index_text(k, wanted[i].shape()), got[i].at(k), wanted[i].at(k));
    }
    // What differs is the sign of a zero: one that was looked at is written, and adds up as +0.
  }
  return "";
}

Moved::Moved(Instance& instance, const Tensors& directions, double by) : instance_(instance) {
  for (std::size_t i = 0; i < instance.count(); ++i) {
    before_.push_back(instance.value(i).contiguous_copy());
    if (!directions[i]) continue;
    const Tensor moved = before_[i].contiguous_copy();
    for (Size k = 0; k < moved.elements(); ++k)
      moved.set(k, moved.at(k) + by * directions[i].at(k));
    instance.set(i, moved);
  }
}

Moved::~Moved() {
  for (std::size_t i = 0; i < before_.size(); ++i) instance_.set(i, before_[i]);
}

}  // namespace hindsight::random_programs
