// Weight gradients are deferred and computed for many products at once (parameter_use.h). Whatever
// the order, sizes, views and lifetimes of the products, their sum must agree with differences.
#include <hindsight/autograd/tape/parameter_use.h>

#include "support.h"

namespace hindsight::test {
namespace {

Parameter weight(const Shape& shape, std::uint64_t seed = 1) {
  return Parameter("w", random_tensor(shape, seed, DType::f64, -0.7, 0.7));
}

void check(const Function& f, const std::vector<Tensor>& inputs,
           const std::vector<Parameter>& parameters) {
  check_both_orders(f, inputs, parameters, 0);
  check_float_like_double(f, inputs, parameters);
}

TEST_CASE("a parameter multiplied at every step") {
  const Parameter w = weight({5, 5});
  check(
      [&](In x) {
        Variable h = x[0];
        for (int t = 0; t < 7; ++t) h = tanh(matmul(h, w) + 0.1);
        return h;
      },
      {random_tensor({3, 5}, 2)}, {w});
  check(
      [&](In x) {  // transposed, from the end of a sequence, as the reverse direction does
        Variable h = x[0][0];
        Sequence outputs(4);
        for (Size t = 3; t >= 0; --t)
          h = outputs.put(t, tanh(matmul(h, transpose(Variable(w))) + x[0][t]));
        return outputs.values();
      },
      {random_tensor({4, 3, 5}, 2)}, {w});
}

TEST_CASE("different row counts, one row, and no rows") {
  const Parameter w = weight({4, 6});
  check(
      [&](In x) {
        Variable total = sum(matmul(x[0], w));
        for (Size rows = 1; rows <= 5; ++rows)
          total = total * 0.5 + sum(square(matmul(slice(x[1], 0, 5 - rows, rows), w)));
        return total + sum(matmul(Variable(Tensor({0, 4}, x[0].dtype())), w));
      },
      {random_tensor({1, 4}, 2), random_tensor({5, 4}, 3)}, {w});
}

TEST_CASE("a parameter without inputs, without outputs, and their transposes") {
  const Parameter narrow = weight({3, 0}), flat = weight({0, 3});
  check([&](In x) { return sum(matmul(x[0], narrow)) + sum(x[0]); }, {random_tensor({2, 3}, 2)},
        {narrow});
  check([&](In x) { return sum(matmul(x[0], transpose(Variable(flat)))) + sum(x[0]); },
        {random_tensor({2, 3}, 2)}, {flat});
  check(
      [&](In x) {  // three steps with each, so that their rows are collected
        Variable h = x[0];
        for (int t = 0; t < 3; ++t) {
          h = tanh(h + matmul(matmul(h, narrow), flat));
          h = h + matmul(matmul(h, transpose(Variable(flat))), transpose(Variable(narrow)));
        }
        return h;
      },
      {random_tensor({2, 3}, 2)}, {narrow, flat});
}

TEST_CASE("two views of one parameter, in turns") {
  const Parameter w = weight({6, 8});
  const auto f = [&](In x) {
    const Variable v = w;
    Variable h = x[0];
    for (int t = 0; t < 3; ++t) {
      const Variable left = matmul(h, slice(v, 1, 0, 4)), right = matmul(h, slice(v, 1, 4, 4));
      const Variable back = matmul(left * tanh(right), transpose(slice(v, 1, 2, 4)));
      h = tanh(back + matmul(slice(h, 1, 0, 3), slice(v, 0, 1, 3))[0][0]);
    }
    return h;
  };
  check(f, {random_tensor({2, 6}, 2)}, {w});
}

TEST_CASE("overlapping, stepped and single views of one parameter") {
  const Parameter w = weight({6, 8});
  check(
      [&](In x) { return tanh(matmul(x[0], slice(w, 1, 0, 5))) * matmul(x[0], slice(w, 1, 3, 5)); },
      {random_tensor({2, 6}, 2)}, {w});
  check(
      [&](In x) {
        return tanh(matmul(x[0], slice(w, 1, 1, 3, 2))) * matmul(x[0], slice(w, 1, 0, 3, 2));
      },
      {random_tensor({2, 6}, 2)}, {w});
  check([&](In x) { return matmul(x[0], slice(w, 1, 3, 1)) * matmul(x[0], w); },
        {random_tensor({2, 6}, 2)}, {w});
  check([&](In x) { return matmul(slice(x[0], 1, 0, 1), slice(w, 0, 3, 1)) * matmul(x[0], w); },
        {random_tensor({2, 6}, 2)}, {w});
  check([&](In x) { return matmul(x[0], transpose(slice(w, 0, 3, 1))) * slice(w, 0, 1, 2); },
        {random_tensor({2, 8}, 2)}, {w});
  check([&](In x) { return matmul(x[0], reshape(w, {8, 6})); }, {random_tensor({2, 8}, 2)}, {w});
}

TEST_CASE("tied weights: a matrix and its transpose, and as a table") {
  const Parameter w = weight({7, 4});
  const Indices symbols(std::vector<int>{1, 3, 3, 0});
  check(
      [&](In x) {
        Variable h = tanh(take(w, symbols) + x[0]);  // embedding
        for (int t = 0; t < 2; ++t) h = tanh(matmul(matmul(h, transpose(Variable(w))), w));
        return cross_entropy(matmul(h, transpose(Variable(w))), symbols);  // readout
      },
      {random_tensor({4, 4}, 2)}, {w});
  const Parameter square_weight = weight({5, 5}, 3);
  check(
      [&](In x) {
        return matmul(tanh(matmul(x[0], square_weight)), transpose(Variable(square_weight)));
      },
      {random_tensor({3, 5}, 2)}, {square_weight});
}

TEST_CASE("parameters on both sides") {
  const Parameter v = weight({4, 5}, 2), w = weight({5, 4}, 3), s = weight({4, 4}, 4);
  check([&](In) { return tanh(matmul(matmul(v, w), s)) * matmul(s, s); }, {}, {v, w, s});
  check([&](In) { return matmul(transpose(Variable(s)), s) + matmul(s, transpose(Variable(s))); },
        {}, {s});
}

TEST_CASE("inputs that are not contiguous") {
  const Parameter w = weight({4, 3});
  const std::vector<Size> order{3, 0, 4, 1, 1, 2};
  check(
      [&](In x) {
        Variable total = sum(x[0]);
        for (Size t : order) {
          total = total + sum(square(matmul(x[0][t], w)));               // dense, any order
          total = total + sum(square(matmul(slice(x[1], 1, t, 4), w)));  // columns: not dense
          total =
              total + sum(square(matmul(transpose(slice(x[0][t], 1, 0, 2)), slice(w, 0, 0, 2))));
        }
        return total;
      },
      {random_tensor({5, 2, 4}, 2), random_tensor({2, 9}, 3)}, {w});
}

TEST_CASE("values that nothing else holds") {
  const Parameter w = weight({4, 4});
  check(
      [&](In x) {
        // Products of temporaries, whose memory must not be reused while products are deferred.
        Variable total = sum(matmul(tanh(x[0]), w));
        for (int t = 1; t < 6; ++t)
          total = total + sum(square(matmul(Variable(tanh(x[0] * (0.3 * t))), w)));
        return total;
      },
      {random_tensor({3, 4}, 2)}, {w});
}

TEST_CASE("products whose gradient comes from several places, or from none") {
  const Parameter w = weight({4, 6});
  check(
      [&](In x) {
        std::vector<Variable> z;
        for (int t = 0; t < 5; ++t) z.push_back(matmul(tanh(x[0] + 0.1 * t), w));
        Variable total =
            sum(z[3] * z[1]) + sum(square(slice(z[3], 1, 2, 3)));  // whole and part, out of order
        total = total + sum(z[0][1]) + sum(tanh(z[4] + z[0]));     // z[2] is not used at all
        return total + sum(matmul(z[1], transpose(Variable(w))));
      },
      {random_tensor({3, 4}, 2)}, {w});
}

TEST_CASE("more rows than a RowBatch holds") {
  const Parameter w = weight({3, 2});
  const Function f = [&](In x) {
    Variable total = sum(x[0]);
    for (int t = 0; t < 4; ++t) total = total + mean(square(matmul(x[0] * (1 + 0.1 * t), w)));
    return total;
  };
  check_both_orders(f, {random_tensor({40000, 3}, 2)}, {w}, 6);
}

TEST_CASE("parameters of other ranks") {
  const Parameter cube = weight({2, 3, 4});
  check([&](In x) { return matmul(matmul(x[0], Variable(cube)[0]), transpose(Variable(cube)[1])); },
        {random_tensor({2, 3}, 2)}, {cube});
  check([&](In x) { return matmul(x[0], cube); }, {random_tensor({2, 5, 3}, 2)}, {cube});
  const Indices symbols(std::vector<int>{1, 3, 3, 0});
  check([&](In) { return tanh(take(transpose(reshape(cube, {6, 4})), symbols)); }, {}, {cube});
  check(
      [&](In x) {
        return matmul(x[0], transpose(reshape(cube, {6, 4})));
      },
      {random_tensor({3, 4}, 2)}, {cube});
}

TEST_CASE("gradient() between and before backward() uses the same row batches") {
  Parameter w = weight({4, 4});
  Tape tape;
  const Variable x(random_tensor({3, 4}, 2));
  Variable h = x;
  for (int t = 0; t < 5; ++t) h = tanh(matmul(h, w));
  const Variable loss = sum(square(h));
  const Tensor first = tape.gradient(loss, {w})[0].value().contiguous_copy();
  const Tensor hidden = tape.gradient(loss, {h})[0].value().contiguous_copy();
  CHECK(relative_difference(hidden, Variable(2 * h.detach()).value()) < 1e-15);
  CHECK(!w.has_gradient());
  tape.backward(loss);
  CHECK(relative_difference(w.gradient(), first) < 1e-14);
  // The gradients of two consecutive tapes add up, in both orders of transposition.
  for (const bool transposed : {false, true}) {
    const Variable v = w;
    tape.backward(sum(matmul(x, transposed ? transpose(v) : v)));
  }
  const Tensor columns = Variable(sum(x, {0})).value();
  const Tensor wanted = first.contiguous_copy();
  for (Size i = 0; i < 4; ++i) {
    for (Size j = 0; j < 4; ++j)
      wanted.set(i * 4 + j, wanted.at(i * 4 + j) + columns.at(i) + columns.at(j));
  }
  CHECK(relative_difference(w.gradient(), wanted) < 1e-14);
}

TEST_CASE("a parameter changed between tapes is multiplied by its new value") {
  Parameter w = weight({4, 4});
  const Variable x(random_tensor({3, 4}, 2));
  for (int step = 0; step < 3; ++step) {
    Tape tape;
    const Variable y = matmul(x, transpose(Variable(w)));
    const Tensor flipped = w.value().view(w.value().layout().permute({1, 0})).contiguous_copy();
    CHECK(relative_difference(y.value(), matmul(x.detach(), Variable(flipped)).value()) < 1e-15);
    w.assign(random_tensor({4, 4}, static_cast<std::uint64_t>(10 + step)));
  }
}

TEST_CASE("a RowBatch collects rows from the end") {
  detail::RowBatch batch;
  batch.start(3, DType::f64, 8);
  const Tensor sequence = random_tensor({6, 3}, 1);
  const auto rows = [&](Size start, Size count) {
    return sequence.view(sequence.layout().slice(0, start, count));
  };
  for (Size t = 4; t >= 0; t -= 2) batch.prepend(rows(t, 2));
  CHECK(batch.rows() == 6);
  CHECK(batch.matrix().buffer() == sequence.buffer());  // already contiguous: no copy
  CHECK(same_bits(batch.matrix(), sequence));
  CHECK(!batch.fits(3));
  batch.clear();
  CHECK(batch.fits(100));  // the first always fits
  batch.prepend(rows(0, 2));
  batch.prepend(rows(4, 2));
  batch.prepend(rows(4, 1));
  CHECK(batch.rows() == 5);
  CHECK(!(batch.matrix().buffer() == sequence.buffer()));
  CHECK(batch.matrix().at(0) == sequence.at(12));
  CHECK(batch.matrix().at(3) == sequence.at(12));
  CHECK(batch.matrix().at(9) == sequence.at(0));
  batch.clear();
  batch.prepend(sequence.view(sequence.layout().slice(0, 0, 3, 2)));  // not dense
  CHECK(batch.matrix().at(3) == sequence.at(6));
  // Reserved regions are consecutive, from the end.
  Gradient later, earlier;
  batch.clear();
  batch.reserve({2, 3}, &later);
  batch.reserve({3, 3}, &earlier);
  const Tensor a = later.read({2, 3}, DType::f64), b = earlier.read({3, 3}, DType::f64);
  CHECK(a.layout().offset == b.layout().offset + 9);
  CHECK(a.buffer() == b.buffer());
}

}  // namespace
}  // namespace hindsight::test
