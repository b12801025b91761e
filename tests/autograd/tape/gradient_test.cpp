// The Gradient class: the first write to a part assigns, later ones add, and unwritten parts are
// zero.
#include "support.h"

namespace hindsight::test {
namespace {

/// Writes as the sweep does: adds if the target says so, else assigns.
void write(Gradient* gradient, const Layout& region, const Shape& whole, const Tensor& values) {
  const Gradient::Target to = gradient->target(region, whole, values.dtype());
  Layout place = region;
  place.offset += (to.base - gradient->buffer().data<std::byte>()) / bytes_of(values.dtype());
  copy(values, Tensor(gradient->buffer(), place, values.dtype()), to.accumulate);
}

/// Fills the memory of the next gradients with NaN, so that unwritten elements show.
void spoil(const Shape& whole, DType dtype) {
  std::vector<Tensor> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(Tensor::full(whole, NAN, dtype));
}

TEST_CASE("the first write assigns, later ones add") {
  const Shape whole{4, 6};
  spoil(whole, DType::f64);
  Gradient g;
  CHECK(g.empty());
  CHECK(!g.target(Layout(whole), whole, DType::f64).accumulate);
  CHECK(g.target(Layout(whole), whole, DType::f64).accumulate);
  CHECK(!g.empty());
  g.clear();
  CHECK(g.empty());
  CHECK(g.allocated());
  CHECK(!g.target(Layout(whole).slice(0, 1, 2), whole, DType::f64).accumulate);
  CHECK(g.target(Layout(whole).slice(0, 1, 1), whole, DType::f64).accumulate);
}

TEST_CASE("time steps and gate chunks fill a gradient without a zero fill") {
  // Steps from the end, as the sweep writes them: none accumulates, and at the end all is written.
  const Shape whole{5, 2, 8};
  spoil(whole, DType::f32);
  Gradient g;
  for (Size t = 4; t >= 0; --t) {
    for (Size gate = 3; gate >= 0; --gate) {
      const Layout chunk = Layout(whole).select(0, t).slice(1, gate * 2, 2);
      CHECK(!g.target(chunk, whole, DType::f32).accumulate);
      const Tensor values = Tensor::full({2, 2}, static_cast<double>(10 * t + gate));
      Layout place = chunk;
      copy(values, Tensor(g.buffer(), place, DType::f32));
    }
  }
  CHECK(g.target(Layout(whole), whole, DType::f32).accumulate);
  const Tensor all = g.read(whole, DType::f32);
  for (Size i = 0; i < all.elements(); ++i)
    CHECK(all.at(i) == static_cast<double>(10 * (i / 16) + i % 8 / 2));
}

TEST_CASE("what is not written counts as zero") {
  const Shape whole{4, 6};
  for (int how = 0; how < 3; ++how) {
    spoil(whole, DType::f64);
    Gradient g;
    write(&g, Layout(whole).slice(0, 1, 2).slice(1, 2, 3), whole,
          Tensor::full({2, 3}, 7, DType::f64));
    write(&g, Layout(whole).slice(0, 3, 1).slice(1, 0, 1), whole,
          Tensor::full({1, 1}, 5, DType::f64));
    if (how == 1) g.complete(whole, DType::f64);
    if (how == 2)
      write(&g, Layout(whole).permute({1, 0}), Shape{4, 6}, Tensor::zeros({6, 4}, DType::f64));
    const Tensor all = g.read(whole, DType::f64);
    for (Size i = 0; i < 4; ++i) {
      for (Size j = 0; j < 6; ++j) {
        const bool seven = i >= 1 && i < 3 && j >= 2 && j < 5, five = i == 3 && j == 0;
        CHECK(all.at(i * 6 + j) == (seven ? 7 : five ? 5 : 0));
      }
    }
    CHECK(g.read(Layout(whole).slice(1, 2, 2), whole, DType::f64).at(2) == 7);
  }
  Gradient nothing;
  CHECK(nothing.read({}, DType::f64).item() == 0);
  CHECK(nothing.read(Shape{0, 3}, DType::f64).elements() == 0);
}

TEST_CASE("adopted memory is added to") {
  const Tensor first = Tensor::full({2, 3}, 1.5, DType::f64);
  Gradient g;
  g.adopt(first);
  write(&g, Layout(Shape{2, 3}).slice(1, 1, 1), {2, 3}, Tensor::full({2, 1}, 2, DType::f64));
  CHECK(g.read({2, 3}, DType::f64).to_vector() ==
        std::vector<double>{1.5, 3.5, 1.5, 1.5, 3.5, 1.5});
  g.release();
  CHECK(!g.allocated());
}

TEST_CASE("rectangles of views") {
  const Layout whole(Shape{3, 4, 5});
  const auto is = [](const Layout& region, std::array<Size, 4> wanted) {
    Gradient::Rectangle r{-1, -1, -1, -1};
    const bool regular = Gradient::rectangle_of(region, 5, &r);
    return regular && r.row == wanted[0] && r.row_end == wanted[1] && r.column == wanted[2] &&
           r.column_end == wanted[3];
  };
  const auto none = [](const Layout& region) {
    Gradient::Rectangle r{};
    return !Gradient::rectangle_of(region, 5, &r);
  };
  CHECK(is(whole, {0, 12, 0, 5}));
  CHECK(is(whole.select(0, 1), {4, 8, 0, 5}));
  CHECK(is(whole.slice(2, 1, 3), {0, 12, 1, 4}));
  CHECK(is(whole.select(0, 2).slice(0, 1, 2).slice(1, 4, 1), {9, 11, 4, 5}));
  CHECK(is(whole.select(2, 3), {0, 12, 3, 4}));
  CHECK(is(whole.select(0, 0).select(0, 3).select(0, 2), {3, 4, 2, 3}));
  CHECK(none(whole.select(1, 0)));
  CHECK(none(whole.slice(1, 0, 2)));
  CHECK(none(whole.slice(2, 0, 2, 2)));
  CHECK(none(whole.permute({0, 2, 1})));
  CHECK(none(whole.slice(0, 0, 2, 2)));
}

TEST_CASE("random views in random order sum like a dense gradient") {
  Rng rng(1);
  for (int round = 0; round < 3000; ++round) {
    Shape whole;
    const Size rank = rng.below(5);
    for (Size i = 0; i < rank; ++i) whole.push_back(1 + rng.below(rank > 3 ? 4 : 6));
    const DType dtype = rng.below(2) ? DType::f32 : DType::f64;
    spoil(whole, dtype);
    Gradient g;
    const Tensor dense = Tensor::zeros(whole, dtype);
    for (Size writes = 1 + rng.below(12); writes > 0; --writes) {
      Layout region(whole);
      // Mostly views of a network, steps and chunks; sometimes stepped ones, flips, reshapes.
      for (int axis = 0; axis < region.rank(); ++axis) {
        const Size kind = rng.below(4), size = region.shape[axis];
        const Size start = rng.below(size), count = 1 + rng.below(size - start);
        if (kind == 1) region = region.slice(axis, start, count);
        if (kind == 2) region = region.slice(axis, start, (size - start + 1) / 2, 2);
        if (kind == 3) region = region.select(axis--, start);
      }
      if (region.rank() > 1 && rng.below(4) == 0) {
        std::array<int, kMaxRank> order{};
        for (int i = 0; i < region.rank(); ++i)
          order[static_cast<std::size_t>(i)] = (i + 1) % region.rank();
        region = region.permute(order);
      }
      Layout flat;
      if (rng.below(4) == 0 && region.reshape(Shape{region.shape.elements()}, &flat)) region = flat;
      const Tensor values(region.shape, dtype);
      for (Size i = 0; i < values.elements(); ++i)
        values.set(i, static_cast<double>(1 + rng.below(9)));
      write(&g, region, whole, values);
      copy(values, dense.view(region), true);
      if (rng.below(6) == 0) {  // reading a part in between changes nothing
        const Tensor part = g.read(region, whole, dtype);
        CHECK(part.to_vector() == dense.view(region).to_vector());
      }
    }
    if (rng.below(2)) g.complete(whole, dtype);
    INFO("round ", round, " shape ", whole.to_string());
    REQUIRE(g.read(whole, dtype).to_vector() == dense.to_vector());
  }
}

}  // namespace
}  // namespace hindsight::test
