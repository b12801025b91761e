#pragma once
#include <hindsight/autograd/tape/variable.h>

#include <functional>
#include <type_traits>
#include <vector>

namespace hindsight {

using CheckpointFunction = std::function<std::vector<Variable>(const std::vector<Variable>&)>;

namespace detail {
std::vector<Variable> checkpoint(CheckpointFunction fn, const std::vector<Variable>& inputs);

/// While active, checkpoints of this thread only call their function, so that each of its
/// operations is recorded on the tape.
class WithoutCheckpoints {
 public:
  WithoutCheckpoints();
  ~WithoutCheckpoints();
  WithoutCheckpoints(const WithoutCheckpoints&) = delete;
  WithoutCheckpoints& operator=(const WithoutCheckpoints&) = delete;

 private:
  bool outer_;
};
}  // namespace detail

/// Returns fn(inputs); the tape saves only the inputs and the outputs, not the intermediate values.
/// A sweep runs `fn` again before it propagates through it (Griewank & Walther 2000, doi
/// 10.1145/347837.347846). `fn` takes a vector of Variables and returns one Variable or a vector of
/// them.
///
/// Gradients propagate to the inputs, and to every parameter and Variable of the tape that `fn`
/// captured. During the sweep, what `fn` captured must be unchanged (capture Variables by value),
/// and `fn` must compute the same from it. An Rng that it draws from repeats its numbers, and its
/// state is restored. The sweep throws TapeError if an output differs or a parameter was changed in
/// between. Checkpoints may be nested. If nothing is recorded, `fn` is only called.
template <class F>
auto checkpoint(F fn, const std::vector<Variable>& inputs) {
  using Result = std::decay_t<std::invoke_result_t<F&, const std::vector<Variable>&>>;
  if constexpr (std::is_convertible_v<Result, Variable>) {
    auto wrapped = [fn = std::move(fn)](const std::vector<Variable>& in) mutable {
      return std::vector<Variable>{Variable(fn(in))};
    };
    return detail::checkpoint(std::move(wrapped), inputs)[0];
  } else {
    return detail::checkpoint(std::move(fn), inputs);
  }
}

}  // namespace hindsight
