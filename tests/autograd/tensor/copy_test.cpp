// Copies within one buffer: whatever the views, the result is as if the source had been read first.
#include "support.h"

namespace hindsight::test {
namespace {

Tensor counting(Size count, DType dtype = DType::f32) {
  const Tensor t(Shape{count}, dtype);
  for (Size i = 0; i < count; ++i) t.set(i, static_cast<double>(i));
  return t;
}

/// A view of `count` elements of t's buffer, `step` apart, from `start` on.
Tensor part(const Tensor& t, Size start, Size count, Size step = 1) {
  return t.view(t.layout().slice(0, start, count, step));
}

TEST_CASE("a parameter is assigned a view of itself") {
  const Tensor matrix = random_tensor({5, 5}, 1), wide = random_tensor({4, 6}, 2);
  Parameter w("w", matrix);
  w.assign(transpose(Variable(w)).value());
  CHECK(same_bits(w.value(), transpose(Variable(matrix)).value()));
  w.assign(w.value());
  CHECK(same_bits(w.value(), transpose(Variable(matrix)).value()));
  Parameter v("v", wide);
  const Variable whole(v);
  v.assign(concat({slice(whole, 1, 3, 3), slice(whole, 1, 0, 3)}, 1).value());
  CHECK(v.value().at(0) == wide.at(3));
}

TEST_CASE("the source and the target overlap, in every way") {
  for (const bool accumulate : {false, true}) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      Rng rng(3);
      for (int round = 0; round < 500; ++round) {
        const Tensor memory = counting(24, dtype);
        const Tensor rows = memory.view(Layout(Shape{4, 6}));
        const auto view = [&] {
          const Size height = rng.below(3) + 1, width = rng.below(3) + 1;
          Layout layout = rows.layout()
                              .slice(0, rng.below(4 - height + 1), height)
                              .slice(1, rng.below(6 - 2 * width + 1), width, 1 + rng.below(2));
          return rng.below(2) == 0 ? layout : layout.permute({1, 0});
        };
        const Layout to = view();
        Layout from = view();
        if (!broadcasts_to(from.shape, to.shape)) continue;
        const Tensor expected = memory.contiguous_copy();
        copy(memory.view(from).contiguous_copy(), expected.view(to), accumulate);
        copy(memory.view(from), memory.view(to), accumulate);
        INFO("round ", round);
        CHECK(same_bits(memory, expected));
      }
    }
  }
}

TEST_CASE("a copy that overlaps by one element, and one that does not and allocates nothing") {
  const Tensor memory = counting(1000);
  const auto copied = [&](Size from, Size to) {
    pool::reset_peak();
    const std::int64_t before = pool::statistics().peak_bytes;
    copy(part(memory, from, 100, 2), part(memory, to, 100, 3));
    return pool::statistics().peak_bytes - before;
  };
  CHECK(copied(0, 199) == 0);
  CHECK(copied(500, 0) == 0);
  memory.set(198, -1);
  CHECK(copied(0, 198) > 0);
  CHECK(memory.at(198) == 500);          // element 0 now
  CHECK(memory.at(198 + 3 * 99) == -1);  // the last of the source, where the first went
}

TEST_CASE("rows shifted within a matrix, and a row added to all") {
  const Tensor memory = counting(12);
  const Tensor matrix = memory.view(Layout(Shape{4, 3}));
  const Layout rows = matrix.layout();
  copy(matrix.view(rows.slice(0, 0, 3)), matrix.view(rows.slice(0, 1, 3)));
  CHECK(memory.to_vector() == std::vector<double>{0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  copy(matrix.view(rows.select(0, 1)), matrix, true);  // a row of the target
  CHECK(memory.to_vector() == std::vector<double>{0, 2, 4, 0, 2, 4, 3, 5, 7, 6, 8, 10});
}

}  // namespace
}  // namespace hindsight::test
