// Sizes and positions as large as their type allows: every argument is checked without overflow,
// and no stride or number of elements is cut off.
#include <hindsight/nn/nn.h>

#include <limits>

#include "support.h"

namespace hindsight::test {
namespace {

constexpr Size kMost = std::numeric_limits<Size>::max(), kLeast = std::numeric_limits<Size>::min();
constexpr Size kHuge[] = {kMost,         kMost - 1,  kMost / 2,       Size{1} << 62,
                          kLeast,        kLeast / 2, Size{1} << 32,   (Size{1} << 32) + 1,
                          Size{1} << 31, -1,         -(Size{1} << 32)};

Variable value(const Shape& shape) { return Variable(Tensor::full(shape, 1)); }

/// Calls f with every huge number; each must throw an Error of one line.
template <class F>
void rejects(const char* op, F&& f) {
  for (const Size huge : kHuge) {
    std::string text;
    try {
      f(huge);
    } catch (const Error& error) {
      text = error.what();
    }
    INFO(std::string(op), " of ", huge, ": ", text);
    CHECK(!text.empty());
    CHECK(text.find('\n') == std::string::npos);
  }
}

TEST_CASE("slices") {
  const Variable x = value({5, 4});
  rejects("slice start", [&](Size n) { slice(x, 0, n, 1); });
  rejects("slice start of nothing", [&](Size n) { slice(x, 0, n, 0); });
  rejects("slice count", [&](Size n) { slice(x, 0, 0, n); });
  rejects("slice count after the start", [&](Size n) { slice(x, 0, 4, n); });
  rejects("slice step", [&](Size n) { slice(x, 0, 0, 5, n); });
  rejects("slice step of two", [&](Size n) { slice(x, 0, 1, 2, n); });
  rejects("slice all", [&](Size n) { slice(x, 0, n, n, n); });
  rejects("operator[]", [&](Size n) { x[n]; });
  rejects("split", [&](Size n) { split(x, {n, 5}); });
  rejects("split", [&](Size n) { split(x, {n, n, 5}); });
  const Variable one = slice(x, 0, 2, 1, kMost);  // no second element, so no step to it
  CHECK(one.shape() == Shape{1, 4});
  CHECK(one.layout().stride(0) == 4);
  CHECK(slice(x, 0, 5, 0).shape() == Shape{0, 4});
  CHECK(
      message_of<IndexError>([&] { slice(x, 0, 0, 5, Size{1} << 62); }) ==
      "slice: start 0, count 5, step 4611686018427387904 reach outside of axis 0 of shape (5, 4)");
}

TEST_CASE("padding") {
  const Variable x = value({20});
  rejects("pad before", [&](Size n) { pad(x, 0, n, 0); });
  rejects("pad after", [&](Size n) { pad(x, 0, 0, n); });
  rejects("pad both", [&](Size n) { pad(x, 0, n, n); });
  rejects("pad after one", [&](Size n) { pad(x, 0, 1, n); });
  CHECK(message_of<ShapeError>([&] { pad(x, 0, kMost, kMost); }) ==
        "pad: 9223372036854775807 elements before and 9223372036854775807 after axis 0 of shape "
        "(20,); at most 2147483647 in all are supported");
}

TEST_CASE("shapes") {
  const Variable x = value({4, 3});
  rejects("reshape", [&](Size n) { reshape(x, {n, 5}); });
  rejects("reshape of two", [&](Size n) { reshape(x, {n, n}); });
  rejects("reshape with -1", [&](Size n) { reshape(x, {-1, n, n}); });
  rejects("shape", [&](Size n) { Shape{2, n}; });
  rejects("Tensor::at", [&](Size n) { x.value().at(n); });
  rejects("Tensor::set", [&](Size n) { x.value().set(n, 0); });
  rejects("init::identity", [&](Size n) { nn::init::identity(n); });
  CHECK(reshape(x, {-1, 6}).shape() == Shape{2, 6});
  const Size side = 1 << 30;
  const char* text =
      "shape (1073741824, 1073741824, 4): at most 2147483647 elements from the second axis on, and "
      "2^50 in all, are supported";
  CHECK(message_of<ShapeError>([&] { Shape{side, side, 4}.elements(); }) == text);
  CHECK(message_of<ShapeError>([&] { Indices(Shape{side, side, 4}); }) == text);
  CHECK(message_of<ShapeError>([&] {
          Indices(std::vector<int>{}, Shape{side, side, 4, 4});
        }).find("shape (1073741824, 1073741824, 4, 4): ") == 0);
  CHECK(message_of<ShapeError>([&] {
          Tensor::from({}, Shape{side, side, 4, 4});
        }).find("shape (1073741824, 1073741824, 4, 4): ") == 0);
  CHECK(message_of<ShapeError>([&] {
          Variable::make(Shape{side, side, side, side}, DType::f32);
        }).find("shape ") == 0);
  CHECK(message_of<ShapeError>([&] {
          broadcast_to(value({1}), {side, side, side});
        }).find("shape ") == 0);
  CHECK(message_of<ShapeError>([&] { reshape(x, Shape{side, side, side}); }).find("shape ") == 0);
  CHECK(Shape{side, side, 0, side, side, side}.elements() == 0);
  CHECK(Shape{1 << 20, 1 << 20, 1 << 10}.elements() == Size{1} << 50);
}

TEST_CASE("operations that throw for too many elements hold no memory") {
  const Size side = 1 << 17;
  const Variable x = value({side, 1, 1}), y = value({1, side, 1}), z = value({1, 1, side});
  const auto in_use = [] { return pool::statistics().bytes_in_use; };
  const std::int64_t before = in_use();
  CHECK_THROWS_AS(Variable(x + y + z), ShapeError);
  CHECK(in_use() == before);
  CHECK_THROWS_AS(Variable::make({side, side, side}, DType::f32), ShapeError);
  CHECK(in_use() == before);
  CHECK_THROWS_AS(broadcast_to(x, {side, side, side}), ShapeError);
  CHECK(in_use() == before);
}

TEST_CASE("axes without elements beside huge ones") {
  const Size side = INT32_MAX;
  const Variable none = value({side, side, side, side, 0});
  CHECK(concat({slice(none, 0, 0, 2), slice(none, 0, 3, 1)}, 0).size(0) == 3);
  CHECK_THROWS_AS(concat({none, none}, 0), ShapeError);
  CHECK_THROWS_AS(sum(none, {4}), ShapeError);
  CHECK(transpose(none, 0, 4).shape() == Shape{0, side, side, side, side});
  CHECK(reshape(transpose(none, 0, 4), {0, 7}).shape() == Shape{0, 7});
  CHECK_THROWS_AS(matmul(none, value({0, 2})), ShapeError);
  CHECK(matmul(value({3, 0}), value({0, 2})).value().to_vector() == std::vector<double>(6, 0));
}

TEST_CASE("indices") {
  const Variable x = value({4, 3});
  const Indices two(std::vector<int>{0, 1}), none(std::vector<int>{});
  rejects("one_hot", [&](Size n) { one_hot(none, n); });
  rejects("scatter_rows", [&](Size n) { scatter_rows(value({0, 3}), none, n); });
  rejects("row", [&](Size n) { two.row(n); });
  rejects("rows start", [&](Size n) { two.rows(n, 1); });
  rejects("rows count", [&](Size n) { two.rows(1, n); });
  rejects("rows", [&](Size n) { two.rows(n, n); });
  rejects("take", [&](Size n) { take(x, Indices(std::vector<Size>{n})); });
  rejects("gather", [&](Size n) { gather(x, 0, Indices(std::vector<Size>{n}, {1, 1})); });
  rejects("reverse_sequence", [&](Size n) { reverse_sequence(x, {n, 1, 1}); });
  rejects("cross_entropy", [&](Size n) { cross_entropy(x[0], Indices(std::vector<Size>{n}, {})); });
  rejects("ctc_loss", [&](Size n) {
    ctc_loss(value({2, 1, 3}), Indices(std::vector<int>{1}, {1, 1}), {.input_lengths = {n}});
  });
  CHECK(message_of<IndexError>([&] { two.rows(1, kMost); }) ==
        "Indices: rows 1 to 9223372036854775807 are out of range for shape (2,)");
}

TEST_CASE("sequences and regions") {
  rejects("Sequence::put", [](Size n) { Sequence(3).put(n, value({2})); });
  rejects("Sequence::put_steps", [](Size n) { Sequence(3).put_steps(n, value({2, 2})); });
  rejects("Sequence", [](Size n) { Sequence(n).put(0, value({2})); });
  rejects("assemble", [](Size n) {
    Layout region(Shape{2});
    region.offset = n;
    assemble({4}, {region}, {value({2})});
  });
  Layout backward(Shape{2});
  backward.strides[0] = -1;
  CHECK(message_of<IndexError>([&] { assemble({4}, {backward}, {value({2})}); }) ==
        "assemble: region 0 reaches outside of shape (4,)");
  backward.offset = 1;
  CHECK(assemble({4}, {backward}, {value({2})}).value().to_vector() ==
        std::vector<double>{1, 1, 0, 0});
}

TEST_CASE("networks") {
  Rng rng(1);
  rejects("Linear inputs", [&](Size n) { nn::Linear({.inputs = n, .outputs = 1}, rng); });
  rejects("Linear outputs", [&](Size n) { nn::Linear({.inputs = 1, .outputs = n}, rng); });
  rejects("Embedding", [&](Size n) { nn::Embedding({.symbols = n, .width = n}, rng); });
  rejects("Lstm input", [&](Size n) { nn::Lstm({.input = n, .hidden = 1}, rng); });
  rejects("Lstm hidden", [&](Size n) { nn::Lstm({.input = 1, .hidden = n}, rng); });
  rejects("LstmCell", [&](Size n) { nn::LstmCell(1, n, rng); });
  rejects("projection", [&](Size n) { nn::LstmCell(1, 2, rng, {.projection = n}); });
  rejects("RnnCell", [&](Size n) { nn::RnnCell(n, n, rng); });
  nn::Rnn rnn({.input = 1, .hidden = 1}, rng);
  rejects("cell", [&](Size n) { rnn.cell(n); });
  rejects("lengths", [&](Size n) { rnn(value({3, 1, 1}), {.lengths = {n}}); });
  Tape tape;
  CHECK(rnn(value({3, 1, 1}), {.checkpoint_every = kMost}).outputs.size(0) == 3);
}

TEST_CASE("strides beyond 2^31 - 1") {
  const Layout rows(Shape{1 << 17, 1 << 15});
  const char* text =
      "shape (2, 32768): a stride of 2147483648 elements; at most 2147483647 are "
      "supported";
  CHECK(message_of<ShapeError>([&] { rows.slice(0, 0, 2, 1 << 16); }) == text);
  CHECK(rows.slice(0, 0, 2, (1 << 16) - 1).stride(0) == 2147450880);
  CHECK(rows.slice(0, 5, 1, kMost).offset == 5 * (1 << 15));
  // The rows of the left half would be too far apart for a view: it becomes a copy.
  const Layout halves = rows.slice(1, 0, 1 << 14);
  Layout result;
  CHECK(!halves.reshape(Shape{2, 1 << 16, 1 << 14}, &result));
  CHECK(halves.reshape(Shape{4, 1 << 15, 1 << 14}, &result));
  CHECK(result.stride(0) == 1 << 30);
  Layout any(Shape{3, 1});
  any.set_stride(1, kMost);  // irrelevant for an axis of one element
  CHECK(message_of<ShapeError>([&] { any.set_stride(0, Size{1} << 31); }).find("a stride of ") !=
        std::string::npos);
  any.set_stride(0, -7);
  CHECK(any.stride(0) == -7);
}

}  // namespace
}  // namespace hindsight::test
