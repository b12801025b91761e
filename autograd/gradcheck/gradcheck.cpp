#include <hindsight/autograd/gradcheck/checked_function.h>
#include <hindsight/autograd/gradcheck/finite_difference.h>
#include <hindsight/autograd/gradcheck/gradcheck.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

namespace hindsight {
namespace {

using namespace detail;

constexpr const char* kAllTogether = "all together";
// The other point is this share of each element away, so that a reused gradient differs.
constexpr double kMoved = 1e-3;

/// The cause when no operation is to blame.
std::string all_right(const CulpritSearch& search) {
  const std::string together =
      search.together > 1 ? fmt::format(", up to {} elements moved together", search.together) : "";
  return fmt::format(
      "each operation passes in isolation ({} operation{}{}); "
      "look for a value carried outside the tape, a part computed while nothing was recording, "
      "or a backward function whose own derivative is wrong where it is recorded",
      search.operations, search.operations == 1 ? "" : "s", together);
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool worse(const CheckedElement& a, const CheckedElement& b) {
  if (std::isnan(b.error)) return false;  // nothing is worse than NaN
  return !(a.error <= b.error);
}

void record(CheckedTensor* tensor, const CheckedElement& e) {
  tensor->zeros += e.analytic == 0;
  tensor->unresolved += !e.resolved();
  if (tensor->checked++ == 0 || worse(e, tensor->worst)) tensor->worst = e;
  if (e.kind == CheckedElement::Kind::kink && tensor->kinks++ < Size{CheckedTensor::kListed})
    tensor->at_kinks.push_back(e);
  if (e.passed()) return;
  ++tensor->failed;
  std::vector<CheckedElement>& list = tensor->failures;
  list.insert(std::upper_bound(list.begin(), list.end(), e, worse), e);
  if (list.size() > CheckedTensor::kListed) list.pop_back();
}

/// The derivative under test: of the value, or of the gradient along a direction.
struct Derivative {
  int order;
  std::vector<Tensor> analytic;
  std::function<double()> value;
  double here;  ///< the value at the point
  Rounding* rounding;
};

class GradientCheck {
 public:
  GradientCheck(CheckedFunction& function, const CheckOptions& options)
      : function_(function), options_(options), comparisons_(count_comparisons()) {}

  CheckReport run() {
    const SizedValue here = function_.sized_value();
    const Direction aside = proportional();
    const auto at_another_point = [&](const auto& derivative) {
      function_.move(aside, function_.everything(), kMoved);
      derivative();
      function_.move(aside, function_.everything(), 0);
      return derivative();
    };
    const std::vector<Tensor> gradients =
        at_another_point([this] { return function_.gradients(); });
    if (!repeats(here.value, gradients) || !finite(here.value)) return report_;
    check(1, gradients, here, [this] { return function_.value(); });
    if (options_.second_order && report_.complete) {
      Rng rng(2);
      for (const Tensor& t : function_.tensors()) along_.push_back(random_normal(t.shape(), rng));
      check(2, at_another_point([this] { return function_.second_gradients(along_); }),
            function_.sized_gradient_along(along_),
            [this] { return function_.gradient_along(along_); });
    }
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

  /// Whether the function and its gradient are the same to the last bit when recomputed.
  bool repeats(double value, const std::vector<Tensor>& gradients) {
    const double again = function_.value();
    if (!same_bits(value, again)) {
      fail_because(
          fmt::format("the function's value is {:.17g} and, recomputed at the same point, {:.17g}: "
                      "it draws random numbers (dropout without a fixed seed) "
                      "or carries state from call to call",
                      value, again));
      return false;
    }
    const std::vector<Tensor> others = function_.gradients();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      for (Size k = 0; k < gradients[i].elements(); ++k) {
        const double first = gradients[i].at(k), second = others[i].at(k);
        if (same_bits(first, second)) continue;
        fail_because(fmt::format(
            "the gradient of {} {} is {:.17g} and, recomputed at the same point, {:.17g}: "
            "the function draws random numbers or carries state from call to call",
            function_.name(i), index_text(k, gradients[i].shape()), first, second));
        return false;
      }
    }
    return true;
  }

  bool finite(double value) {
    if (std::isfinite(value)) return true;
    const std::string first = function_.first_not_finite();
    fail_because(
        fmt::format("the function's value is {}{}", std::isnan(value) ? NAN : value,
                    first.empty() ? "" : "; the first operation to produce one: " + first));
    report_.name = function_.name(0);
    report_.shape = function_.tensors()[0].shape();
    report_.analytic = report_.numeric = report_.error = NAN;
    return false;
  }

  Direction proportional() const {
    Rng rng(4);
    return {function_.tensors(), Direction::Scale::proportional, rng};
  }

  void check(int order, std::vector<Tensor> analytic, const SizedValue& here,
             const std::function<double()>& value) {
    const Direction along = proportional();
    const auto value_along = [&](double t) {
      function_.move(along, function_.everything(), t);
      const double moved = value();
      function_.move(along, function_.everything(), 0);
      return moved;
    };
    const double share = options_.absolute * options_.step;  // rounding, as a share of a value
    Rounding rounding(share, here.size, value_along,
                      [&] { return function_.size_of_parts(order, along_); });
    const Derivative derivative{order, std::move(analytic), value, here.value, &rounding};
    options_.fast ? check_directions(derivative) : check_elements(derivative);
  }

  /// Counts a comparison; false when the caller wants to stop.
  bool on_progress() {
    if (options_.on_progress && report_.complete)
      report_.complete = options_.on_progress(done_++, comparisons_);
    return report_.complete;
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
      for (Size k = 0; k < take && on_progress(); ++k) {
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
    const auto moved = [&](double t) {
      x = before + t;
      function_.changed(tensor);
      const double value = derivative.value();
      x = before;
      function_.changed(tensor);
      return value;
    };
    const Probe along(before, derivative.here, moved, options_, derivative.rounding);
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
    for (Size k = 0; k < options_.directions && on_progress(); ++k) {
      const Direction direction(function_.tensors(), Direction::Scale::step, rng);
      // The gradient jumps at a kink: there is no second derivative.
      if (derivative.order == 2 && bent_.count(k) > 0) continue;
      const CheckedElement e = slope(derivative, direction, function_.everything());
      if (!e.passed() && wrong.empty()) wrong = narrow(derivative, direction);
      if (e.kind == CheckedElement::Kind::kink) bent_.insert(k);
      record(&all, e);
    }
    report_.tensors.push_back(std::move(all));
    for (CheckedTensor& tensor : wrong) report_.tensors.push_back(std::move(tensor));
  }

  CheckedElement slope(const Derivative& derivative, const Direction& direction,
                       const ElementRange& range) {
    double analytic = 0;
    for (std::size_t i = range.first; i < range.last; ++i) {
      const Size end = std::min(range.end, direction.along[i].elements());
      for (Size k = range.begin; k < end; ++k)
        analytic += derivative.analytic[i].at(k) * direction.along[i].at(k);
    }
    const auto moved = [&](double t) {
      function_.move(direction, range, t);
      const double value = derivative.value();
      function_.move(direction, range, 0);
      return value;
    };
    const Probe along(1, derivative.here, moved, options_, derivative.rounding);
    CheckedElement e = compare_slope(along, analytic);
    e.index = CheckedElement::kDirection;
    return e;
  }

  /// The tensors whose own slopes are wrong, each with one wrong element, found by halving.
  std::vector<CheckedTensor> narrow(const Derivative& derivative, const Direction& direction) {
    std::vector<CheckedTensor> wrong;
    for (std::size_t i = 0; i < function_.tensors().size(); ++i) {
      CheckedTensor result = named(i, derivative);
      ElementRange range{i, i + 1, 0, result.shape.elements()};
      const CheckedElement whole = slope(derivative, direction, range);
      if (whole.passed()) continue;
      while (range.end - range.begin > 1) {
        const Size middle = (range.begin + range.end) / 2;
        const ElementRange lower{i, i + 1, range.begin, middle};
        const bool right = slope(derivative, direction, lower).passed();
        (right ? range.begin : range.end) = middle;
      }
      const CheckedElement e = element(derivative, i, range.begin);
      record(&result, e.passed() ? whole : e);
      wrong.push_back(std::move(result));
    }
    return wrong;
  }

  /// Fills the report's totals, its worst element and, on failure, the cause.
  void sum_up() {
    for (const Tensor& x : function_.tensors())
      report_.elements += x.elements() * (options_.second_order ? 2 : 1);
    const CheckedTensor* worst = nullptr;
    for (const CheckedTensor& tensor : report_.tensors) {
      // In fast mode, per-tensor entries only localise the error.
      const bool counts = !options_.fast || tensor.name == kAllTogether;
      report_.checked += counts ? tensor.checked : 0;
      report_.kinks += counts ? tensor.kinks : 0;
      report_.unresolved += counts ? tensor.unresolved : 0;
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
    report_.warning = unseen();
  }

  /// The warning about tensors whose derivatives are all too small to be compared, or "".
  std::string unseen() const {
    std::string names;
    double resolution = 0;
    for (const CheckedTensor& tensor : report_.tensors) {
      if (tensor.unresolved == 0 || tensor.unresolved + tensor.zeros < tensor.checked) continue;
      names += (names.empty() ? "" : ", ") + tensor.full_name();
      resolution = std::max(resolution, tensor.worst.resolution);
    }
    if (names.empty()) return "";
    return fmt::format(
        "no derivative of {} could be compared: rounding hides any below {:.2g}; "
        "check smaller parts, whose values are closer in size to their gradients",
        names, resolution);
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

  // A wrong derivative is reported before elements that have none.
  void explain() {
    using Kind = CheckedElement::Kind;
    if (const CheckedTensor* wrong = failed_as({Kind::smooth, Kind::kink})) {
      const CulpritSearch search = function_.culprit(wrong->order, along_, options_);
      report_.culprit = search.culprit;
      fail_because(search.culprit ? search.culprit->to_string() : all_right(search));
    } else if (failed_as({Kind::not_finite})) {
      const std::string first = function_.first_not_finite();
      fail_because(first.empty() ? "the function is not finite near the point" : first);
    } else if (failed_as({Kind::jump})) {
      fail_because("the function jumps or is vertical there and has no derivative");
    }
  }

  CheckedFunction& function_;
  const CheckOptions& options_;
  Size comparisons_, done_ = 0;
  std::vector<Tensor> along_;  // directions of the second order
  std::set<std::pair<std::size_t, Size>> kinks_;
  std::set<Size> bent_;  // directions along which the function has a kink
  CheckReport report_;
};

void check_options(const CheckOptions& o) {
  if (!(o.step > 0) || !(o.relative >= 0) || !(o.absolute > 0)) {
    fail<OptionError>(
        "check_gradients: step {}, relative {}, absolute {}: "
        "step and absolute must be above 0, relative at least 0",
        o.step, o.relative, o.absolute);
  }
  if (o.elements < 0 || o.directions < 1) {
    fail<OptionError>("check_gradients: elements {}, directions {}: at least 0 and 1 are needed",
                      o.elements, o.directions);
  }
}

/// Each parameter once, however often it is given.
std::vector<Parameter> distinct(const std::vector<Parameter>& parameters) {
  std::vector<Parameter> result;
  std::set<const Parameter::Data*> seen;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& p = parameters[i];
    if (!p) fail("check_gradients: parameter {} is empty", i);
    if (seen.insert(p.data()).second) result.push_back(p);
  }
  return result;
}

}  // namespace

CheckReport check_gradients(const CheckedFunction::Function& f, const std::vector<Tensor>& inputs,
                            const std::vector<Parameter>& parameters, const CheckOptions& options) {
  check_options(options);
  const std::vector<Parameter> each = distinct(parameters);
  const Float64Scope in_double(each);
  CheckedFunction function(f, inputs, each);
  return GradientCheck(function, options).run();
}

CheckReport check_gradients(const std::function<Variable()>& f,
                            const std::vector<Parameter>& parameters, const CheckOptions& options) {
  return check_gradients([&](const std::vector<Variable>&) { return f(); }, {}, parameters,
                         options);
}

}  // namespace hindsight
