/// Kinds of cases that are one operation: each is a row of the table.
#include <algorithm>

#include "derivatives.h"

namespace hindsight::conformance {
namespace {

/// What a row of the table reads: inputs by name, options, other tensors of the file.
struct Call {
  Case& file;
  Options& options;
  const std::vector<std::string>& names;
  const std::vector<Variable>& values;

  const Variable& operator[](const std::string& name) const {
    const auto at = std::find(names.begin(), names.end(), name) - names.begin();
    const bool found = at < static_cast<std::ptrdiff_t>(names.size());
    if (!found) fail<Error>("the file lacks input {}", name);
    return values[static_cast<std::size_t>(at)];
  }
  int axis() const { return options.get<int>("axis"); }
};

Shape shape_of(const std::vector<Size>& sizes) {
  Shape shape;
  for (Size size : sizes) shape.push_back(size);
  return shape;
}

/// The axes of a reduction: one, several, or all.
Axes axes_of(Options& options) {
  if (!options.has("axis")) return {};
  const auto axis = options.get<Json>("axis");
  return axis.is_array() ? Axes(axis.get<std::vector<int>>()) : Axes{axis.get<int>()};
}

template <Variable (*Reduce)(const Variable&, const Axes&, KeepDims)>
Variable reduced(const Call& c) {
  // PyTorch's sum over all elements drops the axes whatever the option says.
  const bool keep = c.options.get("keepdims", false) && c.options.has("axis");
  return Reduce(c["x"], axes_of(c.options), keep ? KeepDims::yes : KeepDims::no);
}

/// Running results have the input's shape whatever the option says.
Variable running(const Call& c) {
  c.options.ignore("keepdims");
  return cumsum(c["x"], c.axis());
}
Variable running_log(const Call& c) {
  c.options.ignore("keepdims");
  return logcumsumexp(c["x"], c.axis());
}

Variable concatenated(const Call& c) { return concat({c["x"], c["x2"]}, c.axis()); }
Variable stacked(const Call& c) { return stack({c["x"], c["x2"]}, c.axis()); }

Variable product(const Call& c) {
  Variable a = c["a"], b = c["b"];
  if (c.options.get("transpose_a", false)) a = transpose(a);
  if (c.options.get("transpose_b", false)) b = transpose(b);
  return matmul(a, b);
}

/// The numbers of nested lists, in order. (Json::flatten() sorts positions as text: 0, 1, 10, 2.)
void collect(const Json& nested, std::vector<Size>* numbers) {
  if (!nested.is_array()) return numbers->push_back(nested.get<Size>());
  for (const Json& item : nested) collect(item, numbers);
}

/// The shape of nested lists.
Shape nesting_of(const Json& nested) {
  Shape shape;
  for (Json level = nested; level.is_array(); level = Json(level.empty() ? Json() : level[0])) {
    shape.push_back(static_cast<Size>(level.size()));
  }
  return shape;
}

/// Rows of x by an index of any depth of nesting.
Variable rows(const Call& c) {
  const auto index = c.options.get<Json>("index");
  const Size rows = c["x"].size(0);
  std::vector<Size> flat;
  collect(index, &flat);
  for (Size& i : flat) i += i < 0 ? rows : 0;
  return take(c["x"], Indices(flat, nesting_of(index)));
}

Variable narrow(const Call& c) {
  const Variable& x = c["x"];
  const int axis = checked_axis("slice", c.axis(), x.rank());
  const auto start = c.options.get<Size>("start");
  return slice(x, axis, start < 0 ? start + x.size(axis) : start, c.options.get<Size>("length"));
}

/// -1 stands for the size that an axis has.
Variable expanded(const Call& c) {
  auto sizes = c.options.get<std::vector<Size>>("shape");
  const Variable& x = c["x"];
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const int axis = x.rank() - static_cast<int>(sizes.size() - i);
    if (sizes[i] == -1 && axis >= 0) sizes[i] = x.size(axis);
  }
  return broadcast_to(x, shape_of(sizes));
}

/// One size may be -1.
Variable reshaped(const Call& c) {
  auto sizes = c.options.get<std::vector<Size>>("shape");
  const Variable& x = c["x"];
  Size known = 1;
  for (Size size : sizes) known *= size == -1 ? 1 : size;
  for (Size& size : sizes) size = size == -1 && known > 0 ? x.shape().elements() / known : size;
  return reshape(x, shape_of(sizes));
}

/// y = x[i] along an axis, by nested lists of x's rank.
Variable gathered(const Call& c) {
  const auto index = c.options.get<Json>("index");
  std::vector<Size> flat;
  collect(index, &flat);
  return gather(c["x"], c.axis(), Indices(flat, nesting_of(index)));
}

/// y = x where the mask of the file is 1, else x2.
Variable chosen(const Call& c) {
  const Indices mask = c.file.indices("mask");
  const Tensor numbers(mask.shape(), c["x"].dtype());
  for (Size i = 0; i < mask.elements(); ++i) numbers.set(i, static_cast<double>(mask[i]));
  return where(Variable(numbers), c["x"], c["x2"]);
}

Reduction reduction_of(const Call& c) {
  const auto name = c.options.get<std::string>("reduction", "mean");
  if (name == "sum") return Reduction::sum;
  if (name == "none") return Reduction::none;
  if (name != "mean") c.options.unsupported("reduction");
  return Reduction::mean;
}

Variable classification(const Call& c) {
  c.options.ignore("ignore_every");
  CrossEntropyOptions options;
  options.reduction = reduction_of(c);
  options.label_smoothing = c.options.get("label_smoothing", 0.0);
  if (c.options.get("weighted", false)) options.weight = c.file.tensor("weight");
  return cross_entropy(c["input"], c.file.indices("target"), options);
}

template <class Options, Variable (*Loss)(const Variable&, const Variable&, const Options&)>
Variable loss(const Call& c) {
  Options options;
  options.reduction = reduction_of(c);
  return Loss(c["input"], Variable(c.file.tensor("target")), options);
}

Variable alignment(const Call& c) {
  const auto lengths = [&](const char* name) {
    c.options.ignore(name);
    const Indices values = c.file.indices(name);
    return std::vector<Size>(values.data(), values.data() + values.elements());
  };
  CtcOptions options;
  options.reduction = reduction_of(c);
  options.input_lengths = lengths("input_lengths");
  options.target_lengths = lengths("target_lengths");
  return ctc_loss(log_softmax(c["input"]), c.file.indices("target"), options);
}

Variable normalized(const Call& c) {
  return layer_norm(c["x"], c["weight"], c["bias"], {.epsilon = c.options.get("eps", 1e-5)});
}

struct Row {
  const char* kind;
  const char* op;
  Variable (*compute)(const Call&);
};

const Row kRows[] = {
    {"unary", "abs", [](const Call& c) -> Variable { return abs(c["x"]); }},
    {"unary", "exp", [](const Call& c) -> Variable { return exp(c["x"]); }},
    {"unary", "log", [](const Call& c) -> Variable { return log(c["x"]); }},
    {"unary", "neg", [](const Call& c) -> Variable { return -c["x"]; }},
    {"unary", "relu", [](const Call& c) -> Variable { return relu(c["x"]); }},
    {"unary", "sigmoid", [](const Call& c) -> Variable { return sigmoid(c["x"]); }},
    {"unary", "sqrt", [](const Call& c) -> Variable { return sqrt(c["x"]); }},
    {"unary", "square", [](const Call& c) -> Variable { return square(c["x"]); }},
    {"unary", "tanh", [](const Call& c) -> Variable { return tanh(c["x"]); }},
    {"unary", "cos", [](const Call& c) -> Variable { return cos(c["x"]); }},
    {"unary", "elu", [](const Call& c) -> Variable { return elu(c["x"]); }},
    {"unary", "erf", [](const Call& c) -> Variable { return erf(c["x"]); }},
    {"unary", "expm1", [](const Call& c) -> Variable { return expm1(c["x"]); }},
    {"unary", "gelu", [](const Call& c) -> Variable { return gelu(c["x"]); }},
    {"unary", "hardsigmoid", [](const Call& c) -> Variable { return hardsigmoid(c["x"]); }},
    {"unary", "hardtanh", [](const Call& c) -> Variable { return hardtanh(c["x"]); }},
    {"unary", "leaky_relu", [](const Call& c) -> Variable { return leaky_relu(c["x"]); }},
    {"unary", "log1p", [](const Call& c) -> Variable { return log1p(c["x"]); }},
    {"unary", "log_sigmoid", [](const Call& c) -> Variable { return log_sigmoid(c["x"]); }},
    {"unary", "reciprocal", [](const Call& c) -> Variable { return reciprocal(c["x"]); }},
    {"unary", "rsqrt", [](const Call& c) -> Variable { return rsqrt(c["x"]); }},
    {"unary", "silu", [](const Call& c) -> Variable { return silu(c["x"]); }},
    {"unary", "sin", [](const Call& c) -> Variable { return sin(c["x"]); }},
    {"unary", "softplus", [](const Call& c) -> Variable { return softplus(c["x"]); }},
    {"binary", "add", [](const Call& c) -> Variable { return c["a"] + c["b"]; }},
    {"binary", "div", [](const Call& c) -> Variable { return c["a"] / c["b"]; }},
    {"binary", "maximum", [](const Call& c) -> Variable { return maximum(c["a"], c["b"]); }},
    {"binary", "minimum", [](const Call& c) -> Variable { return minimum(c["a"], c["b"]); }},
    {"binary", "mul", [](const Call& c) -> Variable { return c["a"] * c["b"]; }},
    {"binary", "pow", [](const Call& c) -> Variable { return pow(c["a"], c["b"]); }},
    {"binary", "sub", [](const Call& c) -> Variable { return c["a"] - c["b"]; }},
    {"reduce", "cumsum", running},
    {"reduce", "logcumsumexp", running_log},
    {"reduce", "logsumexp", reduced<logsumexp>},
    {"reduce", "max", reduced<max>},
    {"reduce", "mean", reduced<mean>},
    {"reduce", "min", reduced<min>},
    {"reduce", "norm", reduced<norm>},
    {"reduce", "prod", reduced<prod>},
    {"reduce", "sum", reduced<sum>},
    {"reduce", "var", reduced<var>},
    {"matmul", "", product},
    {"shape", "broadcast_to", expanded},
    {"shape", "concat", concatenated},
    {"shape", "flip", [](const Call& c) { return flip(c["x"], axes_of(c.options)); }},
    {"shape", "gather", gathered},
    {"shape", "reshape", reshaped},
    {"shape", "slice", narrow},
    {"shape", "stack", stacked},
    {"shape", "take", rows},
    {"shape", "transpose",
     [](const Call& c) { return permute(c["x"], c.options.get<std::vector<int>>("axes")); }},
    {"shape", "where", chosen},
    {"normalize", "layer_norm", normalized},
    {"normalize", "softmax", [](const Call& c) { return softmax(c["x"], c.axis()); }},
    {"normalize", "log_softmax", [](const Call& c) { return log_softmax(c["x"], c.axis()); }},
    {"loss", "cross_entropy", classification},
    {"loss", "ctc", alignment},
    {"loss", "bce_with_logits", loss<LossOptions, bce_with_logits>},
    {"loss", "huber", loss<HuberOptions, huber_loss>},
    {"loss", "l1", loss<LossOptions, l1_loss>},
    {"loss", "mse", loss<LossOptions, mse_loss>},
    {"loss", "smooth_l1", loss<SmoothL1Options, smooth_l1_loss>},
};

}  // namespace

void run_operation(Case& c) {
  const auto op = c.options.get<std::string>("op", "");
  const auto row = std::find_if(std::begin(kRows), std::end(kRows),
                                [&](const Row& r) { return c.kind() == r.kind && op == r.op; });
  if (row == std::end(kRows)) throw Skip{c.kind() + " " + op};
  c.options.ignore("range");
  const std::vector<std::string> inputs = c.names_after("grad.");
  const std::vector<std::string> outputs = c.names_after("cotangent.");
  if (outputs.size() != 1) fail<Error>("the file has {} outputs; one is needed", outputs.size());
  check_derivatives(c, inputs, {}, [&](const std::vector<Variable>& values) -> NamedVariables {
    return {{outputs[0], row->compute(Call{c, c.options, inputs, values})}};
  });
}

}  // namespace hindsight::conformance
