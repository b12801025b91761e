#include <hindsight/autograd/gradcheck.h>
#include <hindsight/autograd/gradcheck_function.h>
#include <hindsight/autograd/gradcheck_slope.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace hindsight {
namespace {

constexpr const char* kAllTogether = "all together";
constexpr const char* kAllRight =
    "every operation is right on its own. What is not: a value that is carried outside of the "
    "tape, a part computed where nothing records, or a backward function whose own derivative "
    "is wrong where it is recorded";

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool worse(const CheckedElement& a, const CheckedElement& b) {
  if (std::isnan(b.error)) return false;  // nothing is worse
  return !(a.error <= b.error);
}

void record(CheckedTensor* tensor, const CheckedElement& e) {
  if (tensor->checked++ == 0 || worse(e, tensor->worst)) tensor->worst = e;
  if (e.kind == CheckedElement::Kind::kink && tensor->kinks++ < Size{CheckedTensor::kListed})
    tensor->at_kinks.push_back(e);
  if (e.passed()) return;
  ++tensor->failed;
  std::vector<CheckedElement>& list = tensor->failures;
  list.insert(std::upper_bound(list.begin(), list.end(), e, worse), e);
  if (list.size() > CheckedTensor::kListed) list.pop_back();
}

/// A derivative to be checked: of the value, or of the gradient along a direction.
struct Derivative {
  int order;
  std::vector<Tensor> analytic;
  std::function<double()> value;
  double here;  ///< the value at the point itself
};

/// A random direction: of random signs and sizes that differ, so that no element goes unseen and no
/// two wrong ones cancel. Its elements grow with those of the point, as the steps do.
struct Direction {
  std::vector<Tensor> along, point;

  Direction(const CheckedFunction& function, Rng& rng) {
    for (const Tensor& x : function.tensors()) {
      point.push_back(x.contiguous_copy());
      along.emplace_back(x.shape(), DType::f64);
      for (Size i = 0; i < x.elements(); ++i) {
        const double size = rng.uniform(0.5, 1.5) * std::max(1.0, std::abs(x.at(i)));
        along.back().set(i, rng.uniform() < 0.5 ? -size : size);
      }
    }
  }
};

/// Elements [begin, end) of tensors [first, last).
struct Range {
  std::size_t first, last;
  Size begin = 0, end = kMostElements;
};

class GradientCheck {
 public:
  GradientCheck(CheckedFunction& function, const CheckOptions& options)
      : function_(function), options_(options), comparisons_(count_comparisons()) {}

  CheckReport run() {
    const double value = function_.value();
    std::vector<Tensor> gradients = function_.gradients();
    if (!repeats(value, gradients) || !finite(value)) return report_;
    check({1, gradients, [this] { return function_.value(); }, value});
    if (options_.second_order && report_.complete) check_second_order(gradients);
    sum_up();
    return report_;
  }

 private:
  Size count_comparisons() const {
    Size count = 0;
    for (const Tensor& x : function_.tensors()) {
      const Size all = x.elements();
      count += options_.elements > 0 ? std::min(options_.elements, all) : all;
    }
    return (options_.fast ? options_.directions : count) * (options_.second_order ? 2 : 1);
  }

  void fail_because(std::string cause) {
    report_.passed = false;
    report_.cause = std::move(cause);
  }

  /// Whether the function and its gradient are the same to the last bit when computed again.
  bool repeats(double value, const std::vector<Tensor>& gradients) {
    const double again = function_.value();
    if (!same_bits(value, again)) {
      fail_because(fmt::format(
          "the function's value is {:.17g} and, computed again at the same point, {:.17g}: it "
          "draws "
          "random numbers (dropout without a fixed seed) or carries something from call to call",
          value, again));
      return false;
    }
    const std::vector<Tensor> others = function_.gradients();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      for (Size k = 0; k < gradients[i].elements(); ++k) {
        const double first = gradients[i].at(k), second = others[i].at(k);
        if (same_bits(first, second)) continue;
        fail_because(fmt::format(
            "the gradient of {} {} is {:.17g} and, computed again at the same point, {:.17g}: the "
            "function draws random numbers or carries something from call to call",
            function_.name(i), index_text(k, gradients[i].shape()), first, second));
        return false;
      }
    }
    return true;
  }

  bool finite(double value) {
    if (std::isfinite(value)) return true;
    const std::string first = function_.first_not_finite();
    fail_because(fmt::format("the function's value is {}{}", std::isnan(value) ? NAN : value,
                             first.empty() ? "" : "; the first operation to make such: " + first));
    report_.name = function_.name(0);
    report_.shape = function_.tensors()[0].shape();
    report_.analytic = report_.numeric = report_.error = NAN;
    return false;
  }

  void check_second_order(const std::vector<Tensor>& gradients) {
    Rng rng(2);
    for (const Tensor& t : function_.tensors()) along_.push_back(random_like(t.shape(), rng));
    double here = 0;
    for (std::size_t i = 0; i < gradients.size(); ++i) here += dot(gradients[i], along_[i]);
    check({2, function_.second_gradients(along_),
           [this] { return function_.gradient_along(along_); }, here});
  }

  void check(const Derivative& derivative) {
    options_.fast ? check_directions(derivative) : check_elements(derivative);
  }

  /// Asks whether to go on; counts.
  bool go_on() {
    if (options_.go_on && report_.complete)
      report_.complete = options_.go_on(done_++, comparisons_);
    return report_.complete;
  }

  Line line(const Derivative& derivative, double step) const {
    return {{},
            derivative.here,
            step,
            options_.absolute * std::max(1.0, std::abs(derivative.here)),
            options_.relative};
  }

  CheckedTensor named(std::size_t tensor, const Derivative& derivative) const {
    CheckedTensor result;
    result.name = function_.name(tensor);
    result.shape = function_.tensors()[tensor].shape();
    result.order = derivative.order;
    return result;
  }

  void check_elements(const Derivative& derivative) {
    for (std::size_t i = 0; i < function_.tensors().size(); ++i) {
      CheckedTensor result = named(i, derivative);
      const Size count = result.shape.elements(),
                 take = options_.elements > 0 ? std::min(options_.elements, count) : count;
      for (Size k = 0; k < take && go_on(); ++k) {
        const Size index = k * count / take;
        // The gradient jumps at a kink: there is no second derivative.
        if (derivative.order == 2 && kinks_.count({i, index}) > 0) continue;
        const CheckedElement e = element(derivative, i, index);
        if (e.kind == CheckedElement::Kind::kink) kinks_.insert({i, index});
        record(&result, e);
      }
      report_.tensors.push_back(std::move(result));
    }
  }

  CheckedElement element(const Derivative& derivative, std::size_t tensor, Size index) {
    double& x = function_.data(tensor)[index];
    const double before = x;
    Line along = line(derivative, options_.step * std::max(1.0, std::abs(before)));
    along.step = (before + along.step) - before;  // what it really moves
    along.value = [&](double t) {
      x = before + t;
      function_.changed(tensor);
      const double value = derivative.value();
      x = before;
      function_.changed(tensor);
      return value;
    };
    CheckedElement e = compare_slope(along, derivative.analytic[tensor].at(index));
    e.index = index;
    return e;
  }

  void check_directions(const Derivative& derivative) {
    CheckedTensor all;
    all.name = kAllTogether;
    all.order = derivative.order;
    Rng rng(3);
    std::vector<CheckedTensor> wrong;
    const Range everything{0, function_.tensors().size()};
    for (Size k = 0; k < options_.directions && go_on(); ++k) {
      const Direction direction(function_, rng);
      // The gradient jumps at a kink: there is no second derivative.
      if (derivative.order == 2 && bent_.count(k) > 0) continue;
      const CheckedElement e = slope(derivative, direction, everything);
      if (!e.passed() && wrong.empty()) wrong = narrow(derivative, direction);
      if (e.kind == CheckedElement::Kind::kink) bent_.insert(k);
      record(&all, e);
    }
    report_.tensors.push_back(std::move(all));
    for (CheckedTensor& tensor : wrong) report_.tensors.push_back(std::move(tensor));
  }

  CheckedElement slope(const Derivative& derivative, const Direction& direction,
                       const Range& range) {
    double analytic = 0;
    const auto for_each = [&](auto&& f) {
      for (std::size_t i = range.first; i < range.last; ++i) {
        const Size end = std::min(range.end, direction.along[i].elements());
        for (Size k = range.begin; k < end; ++k) f(i, k);
        function_.changed(i);
      }
    };
    for_each([&](std::size_t i, Size k) {
      analytic += derivative.analytic[i].at(k) * direction.along[i].at(k);
    });
    const auto move = [&](double t) {
      for_each([&](std::size_t i, Size k) {
        function_.data(i)[k] = direction.point[i].at(k) + t * direction.along[i].at(k);
      });
    };
    Line along = line(derivative, options_.step);
    along.value = [&](double t) {
      move(t);
      const double value = derivative.value();
      move(0);
      return value;
    };
    CheckedElement e = compare_slope(along, analytic);
    e.index = CheckedElement::kDirection;
    return e;
  }

  /// The tensors whose own slope is wrong, each with one wrong element, found by halving.
  std::vector<CheckedTensor> narrow(const Derivative& derivative, const Direction& direction) {
    std::vector<CheckedTensor> wrong;
    for (std::size_t i = 0; i < function_.tensors().size(); ++i) {
      CheckedTensor result = named(i, derivative);
      Range range{i, i + 1, 0, result.shape.elements()};
      const CheckedElement whole = slope(derivative, direction, range);
      if (whole.passed()) continue;
      while (range.end - range.begin > 1) {
        const Size middle = (range.begin + range.end) / 2;
        const Range lower{i, i + 1, range.begin, middle};
        const bool right = slope(derivative, direction, lower).passed();
        (right ? range.begin : range.end) = middle;
      }
      const CheckedElement e = element(derivative, i, range.begin);
      record(&result, e.passed() ? whole : e);
      wrong.push_back(std::move(result));
    }
    return wrong;
  }

  /// The worst of all, and where something is wrong, why.
  void sum_up() {
    const CheckedTensor* worst = nullptr;
    for (const CheckedTensor& tensor : report_.tensors) {
      // Beside all together, tensors are there to say where it is wrong.
      const bool counts = !options_.fast || tensor.name == kAllTogether;
      report_.checked += counts ? tensor.checked : 0;
      report_.kinks += counts ? tensor.kinks : 0;
      if (tensor.checked > 0 && (!worst || worse(tensor.worst, worst->worst))) worst = &tensor;
    }
    if (!worst) return;
    report_.name = worst->full_name();
    report_.shape = worst->shape;
    report_.index = worst->worst.index;
    report_.analytic = worst->worst.analytic;
    report_.numeric = worst->worst.numeric;
    report_.error = worst->worst.error;
    explain();
  }

  /// The first tensor with a failure of one of these kinds.
  const CheckedTensor* failed_as(std::initializer_list<CheckedElement::Kind> kinds) const {
    for (const CheckedTensor& tensor : report_.tensors) {
      for (const CheckedElement& e : tensor.failures) {
        if (std::find(kinds.begin(), kinds.end(), e.kind) != kinds.end()) return &tensor;
      }
    }
    return nullptr;
  }

  // A wrong derivative comes before places that have none.
  void explain() {
    using Kind = CheckedElement::Kind;
    if (const CheckedTensor* wrong = failed_as({Kind::smooth, Kind::kink})) {
      report_.culprit = function_.culprit(wrong->order, along_, options_);
      fail_because(report_.culprit ? report_.culprit->to_string() : kAllRight);
    } else if (failed_as({Kind::not_finite})) {
      const std::string first = function_.first_not_finite();
      fail_because(first.empty() ? "the function is not finite beside the point" : first);
    } else if (failed_as({Kind::jump})) {
      fail_because("the function jumps or is vertical there: it has no derivative");
    }
  }

  CheckedFunction& function_;
  const CheckOptions& options_;
  Size comparisons_, done_ = 0;
  std::vector<Tensor> along_;  // of the second order
  std::set<std::pair<std::size_t, Size>> kinks_;
  std::set<Size> bent_;  // directions along which the function has a kink
  CheckReport report_;
};

void check_options(const CheckOptions& o) {
  if (!(o.step > 0) || !(o.relative >= 0) || !(o.absolute > 0)) {
    fail<OptionError>(
        "check_gradients: step {}, relative {}, absolute {}: step and absolute must be above 0, "
        "relative not below",
        o.step, o.relative, o.absolute);
  }
  if (o.elements < 0 || o.directions < 1) {
    fail<OptionError>("check_gradients: elements {}, directions {}: at least 0 and 1 are needed",
                      o.elements, o.directions);
  }
}

/// Each once, however often it is named.
std::vector<Parameter> distinct(const std::vector<Parameter>& parameters) {
  std::vector<Parameter> result;
  std::set<const Parameter::Data*> seen;
  for (const Parameter& p : parameters) {
    if (seen.insert(p.data()).second) result.push_back(p);
  }
  return result;
}

}  // namespace

CheckReport check_gradients(const CheckedFunction::Function& f, const std::vector<Tensor>& inputs,
                            const std::vector<Parameter>& parameters, const CheckOptions& options) {
  check_options(options);
  const std::vector<Parameter> each = distinct(parameters);
  const InDouble in_double(each);
  CheckedFunction function(f, inputs, each);
  return GradientCheck(function, options).run();
}

CheckReport check_gradients(const std::function<Variable()>& f,
                            const std::vector<Parameter>& parameters, const CheckOptions& options) {
  return check_gradients([&](const std::vector<Variable>&) { return f(); }, {}, parameters,
                         options);
}

}  // namespace hindsight
