#include <hindsight/autograd/gradcheck/report.h>

#include <algorithm>

namespace hindsight {
namespace {

constexpr std::size_t kShown = 3;  // elements of each list; the report holds more as data

std::string numbers(const CheckedElement& e) {
  const char* const remark[] = {"", ", at a kink", ", where the function jumps", ""};
  std::string text = fmt::format("analytic {:.10g}, numeric {:.10g}", e.analytic, e.numeric);
  if (e.kind == CheckedElement::Kind::kink || e.kind == CheckedElement::Kind::jump)
    text += fmt::format(" (left {:.6g}, right {:.6g})", e.left, e.right);
  return text + remark[static_cast<std::size_t>(e.kind)];
}

std::string where(const CheckedElement& e, const Shape& shape) {
  return e.index == CheckedElement::kDirection ? "along a random direction"
                                               : index_text(e.index, shape);
}

void list(const std::vector<CheckedElement>& elements, Size all, const Shape& shape,
          std::string* text) {
  const std::size_t shown = std::min(kShown, elements.size());
  for (std::size_t i = 0; i < shown; ++i)
    *text += fmt::format("\n    {}: {}", where(elements[i], shape), numbers(elements[i]));
  const Size left = all - static_cast<Size>(shown);
  if (left > 0) *text += fmt::format("\n    and {} more", left);
}

}  // namespace

std::string CheckedTensor::full_name() const {
  return (order == 2 ? "second order of " : "") + name;
}

std::string Culprit::to_string() const {
  std::string at = place;
  if (in_sweep)
    at += at.empty() ? "recorded by the reverse sweep" : ", recorded by the reverse sweep";
  const std::string who = at.empty() ? operation : fmt::format("{} ({})", operation, at);
  switch (kind) {
    case Kind::value:
      return fmt::format(
          "{} gives a different value when recomputed from its inputs: memory that it reads was "
          "overwritten, or it depends on something that is not an input",
          who);
    case Kind::constant:
      return fmt::format(
          "each operation passes in isolation, but {} reads {} as a constant of shape {}, through "
          "which no gradient flows: it was detached, or read while nothing was recording",
          who, input, shape);
    case Kind::backward:
      break;
  }
  return fmt::format("the backward of {} is wrong in isolation: for {} of shape {}, at {}: {}", who,
                     input, shape, index_text(element.index, shape), numbers(element));
}

std::string CheckReport::to_string() const {
  std::string text = passed ? "passed" : "FAILED";
  if (!complete) text += " so far";
  if (checked == 0) return text + ": " + (cause.empty() ? "nothing to check" : cause);
  const bool directions = index == CheckedElement::kDirection;
  const std::string all = directions || checked == elements ? "" : fmt::format(" of {}", elements);
  text += fmt::format(
      ": {} {}{}{}, worst {}{}: analytic {:.10g}, numeric {:.10g}, "
      "{:.2g} of the allowed error",
      checked, directions ? "direction" : "element", checked == 1 ? "" : "s", all, name,
      directions ? "" : fmt::format(" {}", index_text(index, shape)), analytic, numeric, error);
  if (kinks > 0) text += fmt::format("; {} at kinks", kinks);
  if (unresolved > 0) text += fmt::format("; {} too small to be compared", unresolved);
  if (!warning.empty()) text += "\n  warning: " + warning;
  if (passed) return text;
  for (const CheckedTensor& tensor : tensors) {
    if (tensor.failed == 0) continue;
    const bool one = tensor.worst.index != CheckedElement::kDirection;
    text += fmt::format("\n  {}{}: {} of {} wrong", tensor.full_name(),
                        one ? fmt::format(" {}", tensor.shape) : "", tensor.failed, tensor.checked);
    list(tensor.failures, tensor.failed, tensor.shape, &text);
  }
  return text + "\n  " + cause;
}

}  // namespace hindsight
