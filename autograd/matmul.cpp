#include <hindsight/autograd/blas.h>
#include <hindsight/autograd/matmul.h>
#include <hindsight/autograd/pushforward.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>
#include <hindsight/autograd/weight_gradient.h>

#include <algorithm>

namespace hindsight {
namespace {

/// A matrix whose rows or columns are dense in memory, as BLAS needs it.
bool fits_blas(const Layout& m) {
  const auto dense = [&](int inner, int outer) {
    return (m.shape[inner] == 1 || m.stride(inner) == 1) &&
           (m.shape[outer] == 1 || m.stride(outer) >= std::max<Size>(1, m.shape[inner]));
  };
  return dense(1, 0) || dense(0, 1);
}

template <class T>
blas::MatrixOf<T> as_matrix(T* data, const Layout& m) {
  const bool rows_dense = (m.shape[1] == 1 || m.stride(1) == 1) &&
                          (m.shape[0] == 1 || m.stride(0) >= std::max<Size>(1, m.shape[1]));
  const int inner = rows_dense ? 1 : 0;
  const Size stride =
      m.shape[1 - inner] == 1 ? std::max<Size>(1, m.shape[inner]) : m.stride(1 - inner);
  return {data, m.shape[0], m.shape[1], stride, !rows_dense};
}

template <class T>
void multiply(const Tensor& a, const Tensor& b, bool accumulate, T* c, const Layout& c_layout) {
  blas::multiply(as_matrix<const T>(a.data<T>(), a.layout()),
                 as_matrix<const T>(b.data<T>(), b.layout()), accumulate ? T(1) : T(0),
                 as_matrix<T>(c, c_layout));
}

/// to (+)= a b; `to` lies at `layout` from `base`, in rows or in columns.
void multiply_into(const Tensor& a, const Tensor& b, bool accumulate, std::byte* base,
                   const Layout& layout) {
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = reinterpret_cast<T*>(base) + layout.offset;
    if (!as_matrix<T>(to, layout).transposed) return multiply<T>(a, b, accumulate, to, layout);
    // columns dense: (a b)^T = b^T a^T
    const std::array<int, kMaxRank> flip{1, 0};
    multiply<T>(b.view(b.layout().permute(flip)), a.view(a.layout().permute(flip)), accumulate, to,
                layout.permute(flip));
  });
}

/// The values of a matrix in the form that multiplies fastest as a right side: a transposed
/// parameter comes from a copy made once a tape. One row gains nothing by it.
Tensor right_side(const Operand& b, const Layout& layout, Size rows) {
  ParameterUse* use = rows > 1 ? use_of_transposed(b.node(), layout) : nullptr;
  if (use) return use->transposed();
  Layout view = layout;
  view.offset += b.node()->base;
  return {b.node()->value, view, b.node()->dtype};
}

/// The two sides of a product.
struct Factors {
  Variable a, b;
};

/// y = a b for two matrices, or the sum of two such products.
class MatrixProduct final : public Operation {
 public:
  MatrixProduct(const Variable& a, const Variable& b, std::uint64_t tape) { factors(a, b, tape); }
  MatrixProduct(const Factors& first, const Factors& second, std::uint64_t tape)
      : MatrixProduct(first.a, first.b, tape) {
    factors(second.a, second.b, tape);
  }
  ~MatrixProduct() override {
    if (output_.node() && output_.node()->use == uses_[0]) output_.node()->use = nullptr;
  }
  const char* name() const override { return "matmul"; }
  std::pair<const Operand*, int> inputs() const override { return {inputs_, 2 * count_}; }

  void run() override {
    Node* node = output_.node();
    if (!node->value) node->value = Buffer(node->shape.elements() * bytes_of(node->dtype));
    for (int i = 0; i < count_; ++i) {
      const Operand &a = inputs_[2 * i], &b = inputs_[2 * i + 1];
      multiply_into(a.variable().value(), right_side(b, b.layout(), a.shape()[0]), i > 0,
                    node->value.data<std::byte>(), output_.layout());
    }
  }

  void start(const Variable& output) {
    output_ = Operand(output, Operand::Keep::nothing, 0);
    run();
    output.node()->use = uses_[0];
  }

  void backward(Sweep& sweep) override {
    const Variable recorded = sweep.recorded() ? sweep.gradient_variable(output_) : Variable();
    const Tensor gradient = sweep.recorded() ? Tensor() : Sweep::gradient(output_);
    for (int i = 0; i < count_; ++i) {
      const Operand &a = inputs_[2 * i], &b = inputs_[2 * i + 1];
      if (sweep.recorded()) {
        if (a.wanted()) sweep.add(a, matmul(recorded, transpose(b.variable())));
        if (b.wanted()) sweep.add(b, matmul(transpose(a.variable()), recorded));
        continue;
      }
      if (a.wanted()) add_left(a, b, gradient);
      if (!b.wanted()) continue;
      if (uses_[i]) {
        uses_[i]->defer(b.layout(), a.variable().value(), gradient);
      } else {
        add_weight_gradient(b.node(), b.layout(), a.variable().value(), gradient);
      }
    }
  }

  void push_forward(Pushforward& sweep) override;
  bool pushes_with_kept() const override { return true; }

 private:
  void factors(const Variable& a, const Variable& b, std::uint64_t tape) {
    inputs_[2 * count_] = Operand(a, keep(b, tape), tape);
    inputs_[2 * count_ + 1] = Operand(b, keep(a, tape), tape);
    const Node* weight = b.node();
    if (weight->tape == tape && weight->use && weight->use->leaf == weight) {
      uses_[count_] = weight->use;
      weight->use->prepare(b.layout(), b.dtype());
    }
    ++count_;
  }

  // A side's value is read for the other side's gradient; a parameter's is there anyway.
  static Operand::Keep keep(const Variable& other, std::uint64_t tape) {
    return other.node()->tape == tape ? Operand::Keep::value : Operand::Keep::nothing;
  }

  static void add_left(const Operand& a, const Operand& b, const Tensor& gradient) {
    const Tensor weight = right_side(b, b.layout().permute({1, 0}), gradient.size(0));
    if (!fits_blas(a.layout())) {
      Tensor product(a.shape(), gradient.dtype());
      multiply_into(gradient, weight, false, product.buffer().data<std::byte>(), product.layout());
      const Gradient::Target to = Sweep::target(a);
      return copy(product, a.node()->gradient->memory(a.layout(), gradient.dtype()), to.accumulate);
    }
    const Gradient::Target to = Sweep::target(a);
    multiply_into(gradient, weight, to.accumulate, to.base, a.layout());
  }

  int count_ = 0;
  Operand inputs_[4];
  ParameterUse* uses_[2] = {};
};

/// a b, or a b + c d where `second` is not null; recorded where one of the factors is.
Variable matrix_product(const Factors& first, const Factors* second = nullptr) {
  const Variable &a = first.a, &b = first.b;
  const Variable output = Variable::make_padded({a.size(0), b.size(1)}, a.dtype());
  const Tape* tape = Tape::current();
  const auto on_tape = [&](const Factors& f) {
    return f.a.node()->tape == tape->id() || f.b.node()->tape == tape->id();
  };
  if (tape && (on_tape(first) || (second && on_tape(*second)))) {
    const ProfileTimer timer;
    auto product = second ? new_operation<MatrixProduct>(first, *second, tape->id())
                          : new_operation<MatrixProduct>(a, b, tape->id());
    product->start(output);
    product.release()->record_output(output);
  } else {
    std::byte* const to = output.node()->value.data<std::byte>();
    multiply_into(a.value(), b.value(), false, to, output.layout());
    if (second) multiply_into(second->a.value(), second->b.value(), true, to, output.layout());
  }
  return output;
}

Variable checked(const Variable& product) {
  if (finite_checks()) check_finite("matmul", product);
  return product;
}

Variable for_blas(const Variable& x) { return fits_blas(x.layout()) ? x : contiguous(x); }

// (a b)' = a' b + a b', and so for each product of a sum.
void MatrixProduct::push_forward(Pushforward& sweep) {
  Variable tangent;
  Factors terms[2];
  int count = 0;
  const auto sum_up = [&] {
    if (count == 0) return;
    const Variable part = checked(matrix_product(terms[0], count == 2 ? &terms[1] : nullptr));
    tangent = tangent ? Variable(tangent + part) : part;
    count = 0;
  };
  for (int i = 0; i < count_; ++i) {
    const Operand &a = inputs_[2 * i], &b = inputs_[2 * i + 1];
    if (const Variable moved = sweep.tangent(a)) terms[count++] = {for_blas(moved), b.variable()};
    if (const Variable moved = sweep.tangent(b)) terms[count++] = {a.variable(), for_blas(moved)};
    sum_up();
  }
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
      "matmul", {a, b}, Retain::inputs, shape, a.dtype(),
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
      [](Flow& flow) {
        if (flow.wants(0)) flow.add(0, matmul(flow.gradient, transpose(flow.input(1))));
        if (flow.wants(1)) flow.add(1, matmul(transpose(flow.input(0)), flow.gradient));
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

void add_weight_gradient(Node* node, const Layout& weight, const Tensor& input,
                         const Tensor& gradient) {
  const std::array<int, kMaxRank> flip{1, 0};
  // A transposed view: its gradient is written in the order of the memory it is a view of.
  const bool transposed = weight.stride(0) == 1 && weight.stride(1) != 1;
  const Tensor left = input.view(input.layout().permute(flip));
  if (!fits_blas(weight)) {
    Tensor product(weight.shape, gradient.dtype());
    multiply_into(left, gradient, false, product.buffer().data<std::byte>(), product.layout());
    const Gradient::Target to = node->gradient->target(weight, node->shape, node->dtype);
    return copy(product, node->gradient->memory(weight, node->dtype), to.accumulate);
  }
  const Gradient::Target to =
      node->gradient->target(transposed ? weight.permute(flip) : weight, node->shape, node->dtype);
  multiply_into(left, gradient, to.accumulate, to.base, weight);
}

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
    // Not -1 in reshape, which cannot tell it where the inner size is 0.
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
  return matmul(x, transpose(weight)) + bias;
}

}  // namespace hindsight
