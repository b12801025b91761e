#pragma once
#include <hindsight/autograd/tape/variable.h>

#include <functional>
#include <type_traits>
#include <vector>

namespace hindsight {

using CheckpointFunction = std::function<std::vector<Variable>(const std::vector<Variable>&)>;

namespace detail {
std::vector<Variable> checkpoint(CheckpointFunction fn, const std::vector<Variable>& inputs);

/// While alive, checkpoints of this thread just call their function, so that each of its operations
/// is on the tape.
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

/// fn(inputs), of which the tape keeps the inputs and the outputs, and nothing between: the sweep
/// computes it once more before it goes back through it (Griewank & Walther 2000, doi
/// 10.1145/347837.347846). `fn` takes a vector of Variables and returns one Variable or a vector of
/// them.
///
/// Gradients flow to the inputs, and to every parameter and Variable of the tape that `fn`
/// captured. At the sweep `fn` must find what it captured as it was (capture Variables by value)
/// and compute the same from it; an Rng that it draws from gives the same numbers again, and is
/// left as it is. The sweep throws TapeError where an output differs or a parameter was changed in
/// between. Checkpoints may be nested. Where nothing records, it just calls `fn`.
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
