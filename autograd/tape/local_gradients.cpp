#include <hindsight/autograd/tape/local_gradients.h>
#include <hindsight/autograd/tensor/parallel.h>

#include <algorithm>
#include <mutex>

namespace hindsight {
namespace {

// Guards Parameter::Data::part_gradients, where threads look up theirs at the same time.
std::mutex lookups;

// From this number of elements on, adding them on several threads is faster than on one.
constexpr Size kShared = 1 << 15;

/// One addition to a parameter's gradient, both as vectors.
struct Addition {
  Tensor from, to;
  bool accumulate;
};

/// Adds the t-th of `count` equal slices of each.
void add_slices(const pool::Vector<Addition>& additions, int t, int count) {
  for (const Addition& a : additions) {
    const Size n = a.to.elements(), begin = n * t / count, end = n * (t + 1) / count;
    if (begin == end) continue;
    copy(a.from.view(a.from.layout().slice(0, begin, end - begin)),
         a.to.view(a.to.layout().slice(0, begin, end - begin)), a.accumulate);
  }
}

}  // namespace

Gradient& LocalGradients::gradient(const Parameter& parameter) const {
  if (part_ == 0) return parameter.data()->gradient;
  const std::lock_guard<std::mutex> lock(lookups);
  return parameter.data()->part_gradients[part_];
}

Gradient& LocalGradients::use(const Parameter& parameter) {
  used_.push_back(parameter);
  return gradient(parameter);
}

void LocalGradients::clear() {
  for (Parameter& parameter : used_) {
    gradient(parameter).clear();
    parameter.clear_gradient();
  }
}

void add_to_parameters(const std::vector<LocalGradients>& parts, int threads) {
  pool::Vector<Addition> additions;
  Size elements = 0;
  for (std::size_t k = 1; k < parts.size(); ++k) {
    for (const Parameter& parameter : parts[k].used()) {
      Gradient& local = parts[k].gradient(parameter);
      if (local.empty()) continue;
      const Shape& shape = parameter.shape();
      const DType dtype = parameter.dtype();
      const Layout all(Shape{shape.elements()});
      local.complete(shape, dtype);
      Gradient& own = parameter.data()->gradient;
      const bool accumulate = own.target(Layout(shape), shape, dtype).accumulate;
      additions.push_back({local.memory(all, dtype), own.memory(all, dtype), accumulate});
      local.clear();  // its memory stays as it is until the next sweep
      elements += shape.elements();
    }
  }
  if (elements < kShared) threads = 1;
  parallel_for(threads, [&](int t) { add_slices(additions, t, threads); });
}

}  // namespace hindsight
