#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/losses.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>

#include <algorithm>
#include <limits>

// The forward algorithm in log space, step by step on Variables, so that every order of derivative
// comes from the tape. L = 2 S + 1 states a row: the target's symbols with blanks around each.
namespace hindsight {
namespace {

/// Stands for log(0): far below any sum of logarithms, and finite, as infinity - infinity is NaN.
constexpr double kImpossible = -1e30;

pool::Vector<Size> checked_lengths(const char* what, const std::vector<Size>& given, Size batch,
                                   Size least, Size most) {
  if (given.empty()) return pool::Vector<Size>(static_cast<std::size_t>(batch), most);
  if (static_cast<Size>(given.size()) != batch)
    fail<ShapeError>("ctc_loss: {} {} lengths for a batch of {}", given.size(), what, batch);
  for (Size length : given) {
    if (length < least || length > most)
      fail<ShapeError>("ctc_loss: {} length {} is outside of [{}, {}]", what, length, least, most);
  }
  return pool::Vector<Size>(given.begin(), given.end());
}

/// The classes of the states and the transitions between them.
struct States {
  pool::Vector<Size> inputs, targets;  ///< lengths of each row
  Indices classes;                     ///< (T, B, L)
  /// (B, L): 0 where an alignment may start, or skip the state before; else kImpossible.
  Tensor start, skip;
  Tensor past;   ///< (T, B, 1): 1 after the end of a row's input, else 0
  Indices ends;  ///< (B, 2): the last state and the one before
  Tensor end;    ///< (B, 2): 0, or kImpossible where there is no state before the last
};

/// Symbols of each row with blanks around each, (B, L); blanks after the target's end.
pool::Vector<Size> with_blanks(const Indices& targets, const pool::Vector<Size>& lengths,
                               Size blank, Size classes) {
  const Size batch = targets.shape()[0], width = targets.shape()[1], L = 2 * width + 1;
  pool::Vector<Size> result(static_cast<std::size_t>(batch * L), blank);
  for (Size b = 0; b < batch; ++b) {
    const Size length = lengths[static_cast<std::size_t>(b)];
    for (Size s = 0; s < length; ++s) {
      const Size symbol = targets[b * width + s];
      if (symbol < 0 || symbol >= classes || symbol == blank) {
        fail<IndexError>("ctc_loss: symbol {} of target {} is outside of [0, {}) or the blank",
                         symbol, b, classes);
      }
      result[static_cast<std::size_t>(b * L + 2 * s + 1)] = symbol;
    }
  }
  return result;
}

States states_of(const Variable& x, const Indices& targets, const CtcOptions& options) {
  const Size T = x.size(0), B = x.size(1), L = 2 * targets.shape()[1] + 1;
  States s;
  s.inputs = checked_lengths("input", options.input_lengths, B, 1, T);
  s.targets = checked_lengths("target", options.target_lengths, B, 0, targets.shape()[1]);
  const pool::Vector<Size> row = with_blanks(targets, s.targets, options.blank, x.size(2));
  s.classes = Indices(Shape{T, B, L});
  s.start = Tensor::full({B, L}, kImpossible, x.dtype());
  s.skip = Tensor::full({B, L}, kImpossible, x.dtype());
  s.past = Tensor::zeros({T, B, 1}, x.dtype());
  s.ends = Indices(Shape{B, 2});
  s.end = Tensor::zeros({B, 2}, x.dtype());
  for (Size t = 0; t < T; ++t) std::copy(row.begin(), row.end(), s.classes.data() + t * B * L);
  for (Size i = 0; i < B * L; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (i % L < 2) s.start.set(i, 0);
    if (i % L > 2 && row[at] != options.blank && row[at] != row[at - 2]) s.skip.set(i, 0);
  }
  for (Size b = 0; b < B; ++b) {
    const Size last = 2 * s.targets[static_cast<std::size_t>(b)];
    s.ends.data()[2 * b] = last;
    s.ends.data()[2 * b + 1] = std::max<Size>(0, last - 1);
    if (last == 0) s.end.set(2 * b + 1, kImpossible);
    for (Size t = s.inputs[static_cast<std::size_t>(b)]; t < T; ++t) s.past.set(t * B + b, 1);
  }
  return s;
}

/// log of the probability of reaching each state at the end of each row's input: (B, L).
Variable forward(const Variable& emission, const States& s) {
  const Size T = emission.size(0), L = emission.size(2);
  const auto shortest_row = std::min_element(s.inputs.begin(), s.inputs.end());
  const Size shortest = shortest_row == s.inputs.end() ? T : *shortest_row;
  const Variable skip(s.skip), past(s.past);
  Variable alpha = emission[0] + Variable(s.start);
  for (Size t = 1; t < T; ++t) {
    const Variable before = pad(alpha, 1, 2, 0, kImpossible);
    const auto stay_or_next = log_add_exp(alpha, slice(before, 1, 1, L));
    const auto any = log_add_exp(stay_or_next, slice(before, 1, 0, L) + skip);
    if (t < shortest) {
      alpha = any + emission[t];
    } else {
      alpha = (any + emission[t]) * (1 - past[t]) + alpha * past[t];
    }
  }
  return alpha;
}

void check_ctc(const Variable& x, const Indices& targets, const CtcOptions& options) {
  check_given("ctc_loss", x);
  targets.check_given("ctc_loss");
  if (x.rank() != 3 || x.size(0) == 0 || x.size(2) == 0 || targets.shape().rank() != 2 ||
      targets.shape()[0] != x.size(1)) {
    fail<ShapeError>(
        "ctc_loss: log_probabilities {} and targets {}: (T, B, C) and (B, S) are needed", x.shape(),
        targets.shape());
  }
  if (options.blank < 0 || options.blank >= x.size(2))
    fail<IndexError>("ctc_loss: blank {} is outside of [0, {})", options.blank, x.size(2));
}

/// Losses of targets that do not fit, which are about -kImpossible, become infinite or 0.
Variable without_impossible(const Variable& losses, bool zero_infinity) {
  const Tensor impossible = Tensor::zeros(losses.shape(), losses.dtype());
  const Tensor values = losses.value();
  bool any = false;
  for (Size b = 0; b < losses.size(0); ++b) {
    if (!(values.at(b) >= -kImpossible / 2)) continue;
    impossible.set(b, 1);
    any = true;
  }
  if (!any) return losses;
  return masked_fill(losses, Variable(impossible),
                     zero_infinity ? 0 : std::numeric_limits<double>::infinity());
}

}  // namespace

Variable ctc_loss(const Variable& log_probabilities, const Indices& targets,
                  const CtcOptions& options) {
  check_ctc(log_probabilities, targets, options);
  const States states = states_of(log_probabilities, targets, options);
  const Size B = log_probabilities.size(1);
  // Padding may hold anything, NaN too.
  const Variable emission =
      maximum(masked_fill(gather(log_probabilities, 2, states.classes), Variable(states.past), 0),
              kImpossible);
  const Variable ends = gather(forward(emission, states), 1, states.ends) + Variable(states.end);
  const Variable losses = without_impossible(
      -log_add_exp(slice(ends, 1, 0, 1), slice(ends, 1, 1, 1)), options.zero_infinity);
  const Variable flat = reshape(losses, {B});
  if (options.reduction == Reduction::none) return flat;
  if (options.reduction == Reduction::sum) return sum(flat);
  if (B == 0) fail<ShapeError>("ctc_loss: there are no targets");
  const Tensor share(Shape{B}, flat.dtype());
  for (Size b = 0; b < B; ++b) {
    const Size length = std::max<Size>(1, states.targets[static_cast<std::size_t>(b)]);
    share.set(b, 1 / static_cast<double>(length * B));
  }
  return sum(flat * Variable(share));
}

}  // namespace hindsight
