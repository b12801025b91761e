// The gradient table, continued: rearranging with copies, and indices; and the values of these.
#include "support.h"

namespace hindsight::test {
namespace {

const Indices kColumns(std::vector<int>{0, 16, 3, 3, 3, 5, 0, 1}, {4, 2});
const Indices kRows(std::vector<int>{2, 0, 1, 2, 2, 1}, {2, 3});

Variable mask_of(const Shape& shape, DType dtype) {
  const Tensor mask(shape, dtype);
  for (Size i = 0; i < mask.elements(); ++i) mask.set(i, i % 3 == 1 ? 1 : 0);
  return mask;
}

/// A function of a sequence that nothing else holds, and whose memory may have been reused since.
Variable let_go(const Variable& first, const Variable& second) {
  Variable result;
  {
    Sequence sequence(2);
    sequence.put(0, first);
    sequence.put(1, second);
    result = tanh(sum(tanh(sequence.values()), {0}));
  }
  std::vector<Tensor> others;
  for (int i = 0; i < 4; ++i) others.push_back(Tensor::full({2, 2, 17}, 9, first.dtype()));
  return result;
}

TEST_CASE("tables and indices of any shape, with rows 4096 bytes long") {
  for (DType dtype : {DType::f32, DType::f64}) {
    const Size columns = 4096 / bytes_of(dtype);
    const Tensor table = random_tensor({2 * columns}, 1, dtype);
    const Indices reversed(Shape{2, columns});
    for (Size i = 0; i < 2 * columns; ++i) reversed.data()[i] = 2 * columns - 1 - i;
    const Tensor taken = take(table, reversed).value();
    for (Size i = 0; i < 2 * columns; ++i) CHECK(taken.at(i) == table.at(2 * columns - 1 - i));
    const Variable x(random_tensor({2, columns}, 2, dtype));
    const Tensor repeated = take(x, Indices(std::vector<int>{1, 0, 1}, {3, 1})).value();
    const Tensor blocks = random_tensor({2, 3, columns}, 3, dtype);
    const Tensor swapped = take(blocks, Indices(std::vector<int>{1, 0}, {2})).value();
    for (Size i = 0; i < columns; ++i) {
      CHECK(repeated.at(i) == x.value().at(columns + i));
      CHECK(repeated.at(columns + i) == x.value().at(i));
      CHECK(swapped.at(columns + i) == blocks.at(4 * columns + i));
      CHECK(swapped.at(5 * columns + i) == blocks.at(2 * columns + i));
    }
    const Tensor flipped =
        reverse_sequence(x, std::vector<Size>(static_cast<std::size_t>(columns), 2)).value();
    for (Size i = 0; i < columns; ++i) CHECK(flipped.at(i) == x.value().at(columns + i));
  }
}

TEST_CASE("rearranging with copies") {
  run({
      {"split",
       [](In x) {
         const std::vector<Variable> parts = split(tanh(x[0]), {3, 9, 3}, -1);
         return sum(parts[1] * parts[1], {1}, KeepDims::yes) * parts[0] + exp(parts[2]);
       },
       {{5, 15}}},
      {"flip", [](In x) { return tanh(flip(tanh(x[0]), {0})) * x[0]; }, {{5, 17}}},
      {"flip of several axes",
       [](In x) {
         return tanh(flip(x[0], {0, -1})) * x[0];
       },
       {{3, 4, 5}}},
      {"flip of a view",
       [](In x) { return tanh(flip(transpose(x[0]), {1})) * exp(x[1]); },
       {{17, 5}, {5, 17}}},
      {"reverse_sequence",
       [](In x) {
         return tanh(reverse_sequence(tanh(x[0]), {4, 0, 2})) * x[0];
       },
       {{4, 3, 17}}},
      {"reverse_sequence of a view",
       [](In x) {
         return tanh(reverse_sequence(transpose(x[0]), {3, 5, 1, 4})) * transpose(x[0]);
       },
       {{4, 5}}},
      {"pad", [](In x) { return tanh(pad(tanh(x[0]), 1, 2, 3)); }, {{5, 17}}},
      {"pad with a value", [](In x) { return exp(pad(x[0], -3, 1, 0, 0.5)); }, {{2, 3, 5}}},
      {"pad of a view",
       [](In x) { return tanh(pad(slice(x[0], 1, 1, 5, 3), 0, 0, 2)); },
       {{3, 17}}},
  });
}

TEST_CASE("indices") {
  run({
      {"gather", [](In x) { return tanh(gather(tanh(x[0]), 1, kColumns)); }, {{5, 17}}},
      {"gather, axis 0", [](In x) { return tanh(gather(x[0], 0, kRows)); }, {{3, 5}}},
      {"gather of a view",
       [](In x) { return exp(gather(transpose(x[0]), -1, kColumns)); },
       {{17, 4}}},
      {"scatter_add",
       [](In x) { return tanh(scatter_add(tanh(x[0]), 1, kColumns, tanh(x[1]))); },
       {{5, 17}, {4, 2}}},
      {"scatter_add of a view",
       [](In x) { return exp(scatter_add(x[0], 0, kRows, transpose(x[1]))); },
       {{3, 5}, {3, 2}}},
      {"one_hot",
       [](In x) { return matmul(Variable(one_hot(kRows, 3, x[0].dtype())), tanh(x[0])); },
       {{3, 5}}},
      {"masked_fill",
       [](In x) {
         return tanh(masked_fill(tanh(x[0]), mask_of({5, 17}, x[0].dtype()), 0.5));
       },
       {{5, 17}}},
      {"masked_fill, broadcast",
       [](In x) {
         return exp(masked_fill(x[0] * x[1], mask_of({5, 1}, x[0].dtype()), -1)) * x[0];
       },
       {{5, 17}, {17}}},
  });
}

TEST_CASE("values") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Variable x(Tensor::from({1, 2, 3, 4, 5, 6}, {3, 2}, dtype));
    const auto values = [](const Variable& v) { return v.value().to_vector(); };
    using Numbers = std::vector<double>;
    CHECK(values(flip(x, {0})) == Numbers{5, 6, 3, 4, 1, 2});
    CHECK(values(flip(x, {0, 1})) == Numbers{6, 5, 4, 3, 2, 1});
    CHECK(values(flip(x, {})) == values(x));
    CHECK(flip(Variable(Tensor({0, 2}, dtype)), {0}).shape() == Shape{0, 2});
    CHECK(values(reverse_sequence(x, {3, 2})) == Numbers{5, 4, 3, 2, 1, 6});
    CHECK(values(pad(x, 1, 1, 0, 9)) == Numbers{9, 1, 2, 9, 3, 4, 9, 5, 6});
    CHECK(values(pad(x, 0, 0, 1)) == Numbers{1, 2, 3, 4, 5, 6, 0, 0});
    CHECK(values(split(x, {1, 0, 2})[2]) == Numbers{3, 4, 5, 6});
    CHECK(split(x, {1, 0, 2})[1].shape() == Shape{0, 2});
    const Indices index(std::vector<int>{2, 0, 2, 1}, {2, 2});
    CHECK(values(gather(x, 0, index)) == Numbers{5, 2, 5, 4});
    CHECK(values(scatter_add(x, 0, index, gather(x, 0, index))) == Numbers{1, 4, 3, 8, 15, 6});
    CHECK(values(Variable(one_hot(Indices(std::vector<int>{1, 0}), 3, dtype))) ==
          Numbers{0, 1, 0, 1, 0, 0});
    const Variable mask(Tensor::from({1, 0}, {2}, dtype));
    const double infinity = INFINITY;
    CHECK(values(masked_fill(x, mask, -infinity)) ==
          Numbers{-infinity, 2, -infinity, 4, -infinity, 6});
    CHECK(values(masked_fill(x / 0.0, mask, 0)) == Numbers{0, infinity, 0, infinity, 0, infinity});
  }
}

TEST_CASE("rearranging") {
  run({
      {"slice", [](In x) { return exp(slice(x[0], 1, 3, 11)) + 0.0; }, {{5, 17}}},
      {"slice, stepped", [](In x) { return tanh(slice(x[0], -1, 1, 5, 3)); }, {{5, 17}}},
      {"permute",
       [](In x) {
         return tanh(permute(x[0], {1, 2, 0}));
       },
       {{3, 4, 17}}},
      {"transpose", [](In x) { return tanh(transpose(x[0], 0, 2)); }, {{3, 4, 17}}},
      {"reshape, a view",
       [](In x) {
         return tanh(reshape(x[0], {-1, 6})) * x[1];
       },
       {{3, 4, 5}, {6}}},
      {"reshape, a copy",
       [](In x) {
         return tanh(reshape(transpose(x[0]), {10, -1}));
       },
       {{5, 4}}},
      {"reshape of chunks",
       [](In x) {
         return tanh(reshape(chunk<2>(x[0])[1], {2, 2, 9}));
       },
       {{4, 18}}},
      {"squeeze", [](In x) { return tanh(squeeze(x[0], 1)); }, {{5, 1, 17}}},
      {"unsqueeze", [](In x) { return tanh(unsqueeze(x[0], 1)) * x[1]; }, {{5, 17}, {3, 17}}},
      {"broadcast_to",
       [](In x) {
         return tanh(broadcast_to(x[0], {3, 5, 17}));
       },
       {{5, 1}}},
      {"contiguous", [](In x) { return tanh(contiguous(transpose(x[0]))); }, {{5, 17}}},
      {"concat, first axis",
       [](In x) {
         return tanh(concat({x[0], x[1], x[0]}, 0));
       },
       {{2, 17}, {3, 17}}},
      {"concat, last axis",
       [](In x) {
         return tanh(concat({x[0], tanh(x[1]), x[0]}, -1));
       },
       {{3, 2}, {3, 17}}},
      {"stack",
       [](In x) {
         return tanh(stack({x[0], x[1], tanh(x[0])}));
       },
       {{3, 17}, {3, 17}}},
      {"stack, last axis",
       [](In x) {
         return tanh(stack({x[0], x[1]}, -1));
       },
       {{3, 17}, {3, 17}}},
      {"unstack",
       [](In x) {
         const std::vector<Variable> parts = unstack(tanh(x[0]), 1);
         return parts[0] * parts[2] + parts[0];
       },
       {{5, 3, 7}}},
      {"assemble",
       [](In x) {
         const Layout whole(Shape{4, 17});
         return tanh(
             assemble({4, 17}, {whole.slice(0, 1, 2), whole.slice(1, 3, 5)}, {tanh(x[0]), x[1]}));
       },
       {{2, 17}, {4, 5}}},
      {"a sequence put together",
       [](In x) {
         Sequence sequence(3);
         Variable h = x[0];
         for (Size t = 0; t < 3; ++t) h = sequence.put(t, tanh(h * 1.1) + x[1]);
         return sequence.values() * sum(h);
       },
       {{2, 17}, {17}}},
      {"a sequence put from its end, a value twice",
       [](In x) {
         Sequence sequence(3);
         const Variable h = tanh(x[0]), first = sequence.put(2, h);
         sequence.put(0, h);
         sequence.put(1, exp(first) * h);
         return tanh(sequence.values()) * h;
       },
       {{2, 17}}},
      {"a sequence put several steps at once",
       [](In x) {
         Sequence sequence(4);
         const Variable later = sequence.put_steps(1, tanh(x[0]));
         sequence.put(0, later[2] * x[1]);
         return tanh(sequence.values()) * later[0];
       },
       {{3, 2, 17}, {17}}},
      {"checkpoint",
       [](In x) {
         const auto f = [b = x[1]](In in) { return tanh(matmul(in[0], in[1]) * b); };
         return checkpoint(f, {x[0], transpose(x[0])}) * x[1];
       },
       {{5, 3}, {5}}},
      {"a sequence that begins with a constant",
       [](In x) {
         Sequence sequence(3);
         sequence.put(0, Variable(Tensor::full({2, 17}, 0.5, x[0].dtype())));
         sequence.put(1, tanh(x[0]));
         sequence.put(2, Variable(Tensor::full({2, 17}, 0.7, x[0].dtype())));
         return tanh(sum(sequence.values(), {0}) * x[0]);
       },
       {{2, 17}}},
      {"a sequence that begins with a constant and is let go",
       [](In x) {
         return let_go(Variable(Tensor::full({2, 17}, 0.5, x[0].dtype())), tanh(x[0]));
       },
       {{2, 17}}},
      {"a sequence that ends with a constant and is let go",
       [](In x) {
         return let_go(tanh(x[0]), Variable(Tensor::full({2, 17}, 0.5, x[0].dtype())));
       },
       {{2, 17}}},
  });
}

}  // namespace
}  // namespace hindsight::test
