#include <hindsight/autograd/tape/local_gradients.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/tape.h>
#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/on_exit.h>
#include <hindsight/autograd/tensor/parallel.h>
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/parallel_gradient.h>
#include <hindsight/nn/row_dropout.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <optional>

namespace hindsight::nn {
namespace {

/// Checks that `shape` has the batch's rows along `axis`, which it returns counted from the front.
int checked_rows(const Rows& rows, const Shape& shape, int axis) {
  const int result = checked_axis("Rows::of", axis, shape.rank());
  if (shape[result] != rows.batch) {
    fail<ShapeError>("Rows::of: {} has {} rows along axis {}; the batch has {}", shape,
                     shape[result], axis, rows.batch);
  }
  return result;
}

/// The loss of a part, whose gradient is added.
double gradient_of_part(const std::function<Variable(const Rows&)>& f, const Rows& rows) {
  Tape tape;
  const Variable loss = f(rows);
  check_given("parallel_gradient", loss);
  tape.backward(loss);
  return loss.item();
}

/// Runs the parts, all on this thread if something observes it. With one part, products may use
/// several threads.
template <class F>
void run_parts(int parts, F&& f) {
  if (parts == 1 || !Observer::current()) return parallel_for(parts, f);
  const blas::OneThread products;
  std::exception_ptr error;
  for (int part = 0; part < parts; ++part) {
    try {
      f(part);
    } catch (...) {
      if (!error) error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

/// What the parts of a call compute; each thread keeps one, so that later calls allocate nothing.
struct Parts {
  std::vector<LocalGradients> gradients;
  std::vector<double> losses;

  void reset(int count) {
    for (int part = static_cast<int>(gradients.size()); part < count; ++part)
      gradients.emplace_back(part);
    losses.assign(static_cast<std::size_t>(count), 0);
  }
};

}  // namespace

Tensor Rows::of(const Tensor& x, int axis) const {
  if (!x) fail("Rows::of: the Tensor is empty");
  const int rows = checked_rows(*this, x.shape(), axis);
  if (count == batch) return x;
  return x.view(x.layout().slice(rows, first, count)).contiguous_copy();
}

Indices Rows::of(const Indices& x, int axis) const {
  x.check_given("Rows::of");
  const int rows = checked_rows(*this, x.shape(), axis);
  if (count == batch) return x;
  Shape shape = x.shape();
  shape.set(rows, count);
  const Indices result(shape);
  Size inner = 1;
  for (int k = rows + 1; k < shape.rank(); ++k) inner *= shape[k];
  const std::int64_t* from = x.data() + first * inner;
  std::int64_t* to = result.data();
  for (Size done = 0; done < shape.elements(); done += count * inner, from += batch * inner)
    std::copy_n(from, count * inner, to + done);
  return result;
}

int parts_of(Size batch, const ParallelOptions& options) {
  if (batch < 1)
    fail<OptionError>("parallel_gradient: a batch of {} rows; at least 1 is needed", batch);
  if (options.threads < 0) {
    fail<OptionError>(
        "parallel_gradient: {} threads; a number of threads, or 0 for the default, is needed",
        options.threads);
  }
  const Size most = options.threads > 0 ? batch : std::max<Size>(1, batch / kRowsPerPart);
  const int threads = options.threads > 0 ? options.threads : default_threads();
  return static_cast<int>(std::min<Size>(threads, most));
}

double detail::parallel_gradient(Size batch, const std::function<Variable(const Rows&)>& f,
                                 const ParallelOptions& options) {
  const int count = parts_of(batch, options);
  if (LocalGradients::current())
    fail<TapeError>("parallel_gradient: it cannot be called within a part of another");
  if (RandomRun::current())
    fail<TapeError>("parallel_gradient: it cannot be called within a checkpoint");
  thread_local Parts kept;
  Parts& parts = kept;  // in the parts, `kept` would be that of their own thread
  parts.reset(count);
  const OnExit forget{[&] {
    for (LocalGradients& gradients : parts.gradients) gradients.forget();
  }};
  const bool trains = training();
  RowsFrom first_rows(0);
  try {
    run_parts(count, [&](int part) {
      const Size first = batch * part / count, end = batch * (part + 1) / count;
      std::optional<Evaluation> mode;
      if (!trains) mode.emplace();
      std::optional<RowsFrom> rows;
      if (part > 0) rows.emplace(first);
      const auto k = static_cast<std::size_t>(part);
      const LocalGradients::Active active(&parts.gradients[k]);
      parts.losses[k] = gradient_of_part(f, {first, end - first, batch, part});
    });
    add_to_parameters(parts.gradients, count);
  } catch (...) {
    for (LocalGradients& gradients : parts.gradients) gradients.clear();
    throw;
  }
  first_rows.advance_generators();
  return std::accumulate(parts.losses.begin(), parts.losses.end(), 0.0);
}

}  // namespace hindsight::nn
