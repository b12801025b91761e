#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tensor/matrix_product.h>

#include <algorithm>

namespace hindsight {
namespace {

/// The values of a matrix in the layout that multiplies fastest as a right side: those of a
/// transposed parameter are in a copy made once a tape. A left side of one row does not gain by it.
Tensor right_side(const Operand& b, const Layout& layout, Size rows) {
  ParameterUse* use = rows > 1 ? use_of_transposed(b.node(), layout) : nullptr;
  if (use) return use->transposed();
  return {b.node()->value, layout, b.node()->dtype};
}

/// The two sides of a product.
struct Factors {
  Variable a, b;
};

/// What is added to a product: another product, a row to each of its rows, or nothing.
struct Addend {
  const Factors* product = nullptr;
  const Variable* row = nullptr;
};

/// to (+)= the sum of the rows of a matrix whose rows are dense.
template <class T>
void sum_rows(const Tensor& matrix, bool accumulate, T* to) {
  const Size rows = matrix.size(0), columns = matrix.size(1);
  const Size step = rows > 1 ? matrix.layout().stride(0) : 0;
  const T* from = matrix.data<T>();
  if (!accumulate) std::fill_n(to, columns, T(0));
  Size row = 0;
  for (; row + 4 <= rows; row += 4, from += 4 * step) {
    for (Size j = 0; j < columns; ++j)
      to[j] += (from[j] + from[j + step]) + (from[j + 2 * step] + from[j + 3 * step]);
  }
  for (; row < rows; ++row, from += step) {
    for (Size j = 0; j < columns; ++j) to[j] += from[j];
  }
}

// Of output in a block, so that it fits the second-level cache together with the operands.
constexpr Size kBlockBytes = 256 << 10;
// In a block, because products of very few rows are slow.
constexpr Size kLeastRows = 64;

/// output = a b, plus `row` in each row unless it is empty: in blocks of rows, which are still in
/// the second-level cache when the row is added.
void multiply_and_add_row(const Tensor& a, const Tensor& b, const Tensor& row,
                          const Tensor& output) {
  std::byte* const to = output.buffer().data<std::byte>();
  if (!row) return multiply_into(a, b, false, to, output.layout());
  const Size rows = output.size(0), columns = output.size(1);
  const Size row_bytes = std::max<Size>(1, columns) * bytes_of(output.dtype());
  const Size block = std::max(kLeastRows, kBlockBytes / row_bytes);
  for (Size first = 0; first < rows; first += block) {
    const Size count = std::min(block, rows - first);
    const Layout part = output.layout().slice(0, first, count);
    multiply_into(a.view(a.layout().slice(0, first, count)), b, false, to, part);
    copy(row, output.view(part), true);
  }
}

/// y = a b for two matrices, plus an addend.
class MatrixProduct final : public Operation {
 public:
  MatrixProduct(const Factors& first, const Addend& addend, Tape& tape) {
    factors(first.a, first.b, tape);
    if (addend.product) factors(addend.product->a, addend.product->b, tape);
    if (addend.row) {
      row() = Operand(*addend.row, Operand::Save::nothing, tape);
      has_row_ = true;
    }
  }
  ~MatrixProduct() override {
    if (output_.node() && output_.node()->use == uses_[0]) output_.node()->use = nullptr;
  }
  const char* name() const override { return "matmul"; }
  std::pair<const Operand*, int> inputs() const override {
    return {inputs_, 2 * count_ + has_row_};
  }

  void run() override {
    Node* node = output_.node();
    if (!node->value) node->value = Buffer(node->bytes());
    compute(output_.variable().value());
  }
  void compute(const Tensor& output) {
    const auto right = [&](int i) {
      return right_side(inputs_[2 * i + 1], inputs_[2 * i + 1].layout(), output.size(0));
    };
    multiply_and_add_row(inputs_[0].variable().value(), right(0),
                         has_row_ ? row().variable().value() : Tensor(), output);
    if (count_ == 2) {
      multiply_into(inputs_[2].variable().value(), right(1), true,
                    output.buffer().data<std::byte>(), output.layout());
    }
  }
  /// Of the parameter whose product comes first; null if it is none.
  ParameterUse* use() const { return uses_[0]; }

  void backward(ReverseSweep& sweep) override {
    const Variable recorded = sweep.recorded() ? sweep.gradient_variable(output_) : Variable();
    const Tensor gradient = sweep.recorded() ? Tensor() : ReverseSweep::gradient(output_);
    for (int i = 0; i < count_; ++i) {
      const Operand &a = inputs_[2 * i], &b = inputs_[2 * i + 1];
      if (sweep.recorded()) {
        if (a.needs_gradient()) sweep.add(a, matmul(recorded, transpose(b.variable())));
        if (b.needs_gradient()) sweep.add(b, matmul(transpose(a.variable()), recorded));
        continue;
      }
      if (a.needs_gradient()) add_left(a, b, gradient);
      if (!b.needs_gradient()) continue;
      if (uses_[i]) {
        uses_[i]->defer(b.layout(), a.variable().value(), gradient);
      } else {
        add_weight_gradient(b.node(), b.layout(), a.variable().value(), gradient);
      }
    }
    if (!has_row_ || !row().needs_gradient()) return;
    if (sweep.recorded()) return sweep.add(row(), recorded);
    add_row(row(), gradient);
  }

  void jvp(ForwardSweep& sweep) override;
  bool jvp_reads_only_saved() const override { return true; }

 private:
  void factors(const Variable& a, const Variable& b, Tape& tape) {
    inputs_[2 * count_] = Operand(a, keep(b, tape), tape);
    inputs_[2 * count_ + 1] = Operand(b, keep(a, tape), tape);
    const Node* weight = b.node();
    if (weight->tape == tape.id() && weight->use && weight->use->leaf == weight) {
      uses_[count_] = weight->use;
      weight->use->prepare(b.layout(), b.dtype());
    }
    ++count_;
  }

  // One side's value is saved when the other side may need a gradient.
  static Operand::Save keep(const Variable& other, const Tape& tape) {
    return other.node()->tape == tape.id() ? Operand::Save::value : Operand::Save::nothing;
  }

  static void add_left(const Operand& a, const Operand& b, const Tensor& gradient) {
    const Tensor weight = right_side(b, b.layout().permute({1, 0}), gradient.size(0));
    if (!fits_blas(a.layout())) {
      Tensor product(a.shape(), gradient.dtype());
      multiply_into(gradient, weight, false, product.buffer().data<std::byte>(), product.layout());
      const Gradient::Target to = ReverseSweep::target(a);
      return copy(product, a.node()->gradient->memory(a.layout(), gradient.dtype()), to.accumulate);
    }
    const Gradient::Target to = ReverseSweep::target(a);
    multiply_into(gradient, weight, to.accumulate, to.base, a.layout());
  }

  static void add_row(const Operand& row, const Tensor& gradient) {
    const Gradient::Target to = ReverseSweep::target(row);
    dispatch(gradient.dtype(), [&](auto zero) {
      using T = decltype(zero);
      sum_rows(gradient, to.accumulate, reinterpret_cast<T*>(to.base) + row.layout().offset);
    });
  }

  Operand& row() { return inputs_[2 * count_]; }

  int count_ = 0;
  bool has_row_ = false;
  Operand inputs_[5];  // a and b of one or two products, then the row
  ParameterUse* uses_[2] = {};
};

/// a b plus the addend; recorded when one of the operands is.
Variable matrix_product(const Factors& first, const Addend& addend = {}) {
  const Variable &a = first.a, &b = first.b;
  const Variable output = Variable::make_padded({a.size(0), b.size(1)}, a.dtype());
  Tape* tape = Tape::current();
  const auto on_tape = [&](const Variable& x) { return x.node()->tape == tape->id(); };
  const Factors* second = addend.product;
  const OperationScope scope;
  if (tape && (on_tape(a) || on_tape(b) || (second && (on_tape(second->a) || on_tape(second->b))) ||
               (addend.row && on_tape(*addend.row)))) {
    auto product = new_operation<MatrixProduct>(*tape, first, addend, *tape);
    product->compute(output.value());
    output.node()->use = product->use();
    record(std::move(product), output);
  } else {
    const Tensor row = addend.row ? addend.row->value() : Tensor();
    multiply_and_add_row(a.value(), b.value(), row, output.value());
    if (second) {
      multiply_into(second->a.value(), second->b.value(), true,
                    output.node()->value.data<std::byte>(), output.layout());
    }
  }
  return output;
}

/// What is checked has the shape that the caller sees.
Variable checked(const Variable& product) {
  const OperationScope scope;
  scope.computed("matmul", product);
  return product;
}

Variable for_blas(const Variable& x) { return fits_blas(x.layout()) ? x : contiguous(x); }

// (a b)' = a' b + a b', for each product of the sum.
void MatrixProduct::jvp(ForwardSweep& sweep) {
  Variable tangent;
  Factors terms[2];
  int count = 0;
  const auto sum_up = [&] {
    if (count == 0) return;
    const Variable part =
        checked(matrix_product(terms[0], {count == 2 ? &terms[1] : nullptr, nullptr}));
    tangent = tangent ? Variable(tangent + part) : part;
    count = 0;
  };
  for (int i = 0; i < count_; ++i) {
    const Operand &a = inputs_[2 * i], &b = inputs_[2 * i + 1];
    if (const Variable moved = sweep.tangent(a)) terms[count++] = {for_blas(moved), b.variable()};
    if (const Variable moved = sweep.tangent(b)) terms[count++] = {a.variable(), for_blas(moved)};
    sum_up();
  }
  if (const Variable moved = has_row_ ? sweep.tangent(row()) : Variable())
    tangent = tangent ? Variable(tangent + moved) : broadcast_to(moved, output_.shape());
  if (tangent) sweep.set(output_, tangent);
}

Layout last_two(const Layout& layout, Size offset) {
  Layout m = layout;
  while (m.rank() > 2) m = m.select(0, 0);
  m.offset = offset;
  return m;
}

/// y = a b for stacks of matrices that already have the same leading axes.
Variable batched_product(const Variable& a, const Variable& b) {
  Shape shape = a.shape();
  shape.set(a.rank() - 1, b.shape().back());
  return apply(
      "matmul", {a, b}, Save::inputs, shape, a.dtype(),
      [](Inputs in, const Tensor& out) {
        const Tensor x = in[0].dense(), y = in[1].dense();
        const int r = out.rank();
        const Size m = out.size(r - 2), n = out.size(r - 1), k = x.size(r - 1);
        const Size count = m * n == 0 ? 0 : out.elements() / (m * n);
        for (Size i = 0; i < count; ++i) {
          multiply_into(x.view(last_two(x.layout(), x.layout().offset + i * m * k)),
                        y.view(last_two(y.layout(), y.layout().offset + i * k * n)), false,
                        out.buffer().data<std::byte>(),
                        last_two(out.layout(), out.layout().offset + i * m * n));
        }
      },
      [](BackwardContext& ctx) {
        if (ctx.needs_gradient(0)) ctx.add(0, matmul(ctx.gradient, transpose(ctx.input(1))));
        if (ctx.needs_gradient(1)) ctx.add(1, matmul(transpose(ctx.input(0)), ctx.gradient));
      });
}

Shape with_leading(const Shape& leading, const Shape& matrix) {
  Shape shape = leading;
  shape.push_back(matrix[matrix.rank() - 2]);
  shape.push_back(matrix.back());
  return shape;
}

Shape leading_axes(const Shape& shape) {
  Shape result;
  for (int i = 0; i + 2 < shape.rank(); ++i) result.push_back(shape[i]);
  return result;
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b) {
  check_given("matmul", a);
  check_given("matmul", b, 1);
  if (a.rank() == 0 || b.rank() == 0) {
    fail<ShapeError>("matmul: a is {} but b is {}: a scalar has no axis to sum over", a.shape(),
                     b.shape());
  }
  if (b.rank() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  if (a.rank() == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  if (a.shape().back() != b.size(b.rank() - 2)) {
    fail<ShapeError>("matmul: a is {} but b is {}: inner sizes must match", a.shape(), b.shape());
  }
  check_same_dtype("matmul", a, b);
  if (a.rank() == 2 && b.rank() == 2) return checked(matrix_product({for_blas(a), for_blas(b)}));
  if (b.rank() == 2) {  // all rows of a in one product
    Shape shape = a.shape(), leading = shape;
    leading.erase(a.rank() - 1);
    // Not reshape's -1, which cannot be computed when the inner size is 0.
    const Variable rows = reshape(a, Shape{leading.elements(), shape.back()});
    shape.set(a.rank() - 1, b.size(1));
    return checked(reshape(matrix_product({for_blas(rows), for_blas(b)}), shape));
  }
  const Shape leading =
      broadcast_shapes("matmul", leading_axes(a.shape()), leading_axes(b.shape()));
  return batched_product(broadcast_to(a, with_leading(leading, a.shape())),
                         broadcast_to(b, with_leading(leading, b.shape())));
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  check_given("linear", x);
  check_given("linear", weight, 1);
  check_given("linear", bias, 2);
  const bool rows = x.rank() >= 2 && weight.rank() == 2 && x.shape().back() == weight.size(1) &&
                    bias.shape() == Shape{weight.size(0)} && bias.layout().contiguous();
  if (!rows || x.dtype() != weight.dtype() || x.dtype() != bias.dtype())
    return matmul(x, transpose(weight)) + bias;
  Shape shape = x.shape(), leading = shape;
  leading.erase(x.rank() - 1);
  shape.set(x.rank() - 1, weight.size(0));
  const Variable matrix = reshape(x, Shape{leading.elements(), x.shape().back()});
  const Variable y =
      matrix_product({for_blas(matrix), for_blas(transpose(weight))}, {nullptr, &bias});
  return checked(reshape(y, shape));
}

}  // namespace hindsight
