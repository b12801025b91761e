/// Kinds of cases that are one operation: a row of the table each.
#include <algorithm>

#include "derivatives.h"

namespace hindsight::conformance {
namespace {

/// What a row of the table computes from: inputs by name, options, other tensors of the file.
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
  // Over all elements PyTorch's sum drops the axes whatever is asked.
  const bool keep = c.options.get("keepdims", false) && c.options.has("axis");
  return Reduce(c["x"], axes_of(c.options), keep ? KeepDims::yes : KeepDims::no);
}

Variable concatenated(const Call& c) { return concat({c["x"], c["x2"]}, c.axis()); }
Variable stacked(const Call& c) { return stack({c["x"], c["x2"]}, c.axis()); }

Variable product(const Call& c) {
  Variable a = c["a"], b = c["b"];
  if (a.rank() < 2 || b.rank() < 2) throw Skip{"matmul of a vector"};
  if (c.options.get("transpose_a", false)) a = transpose(a);
  if (c.options.get("transpose_b", false)) b = transpose(b);
  return matmul(a, b);
}

/// Rows of x by an index of any depth of nesting.
Variable rows(const Call& c) {
  Shape shape;
  const auto index = c.options.get<Json>("index");
  for (Json level = index; level.is_array(); level = Json(level.empty() ? Json() : level[0])) {
    shape.push_back(static_cast<Size>(level.size()));
  }
  const Size rows = c["x"].size(0);
  std::vector<Size> flat;
  for (const auto& item : index.flatten()) flat.push_back(item.get<Size>());
  for (Size& i : flat) i += i < 0 ? rows : 0;
  return take(c["x"], Indices(flat, shape));
}

Variable narrow(const Call& c) {
  const Variable& x = c["x"];
  const int axis = checked_axis("slice", c.axis(), x.rank());
  const auto start = c.options.get<Size>("start");
  return slice(x, axis, start < 0 ? start + x.size(axis) : start, c.options.get<Size>("length"));
}

/// -1 keeps a size.
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

Variable classification(const Call& c) {
  c.options.only("ignore_every", 0);
  c.options.only("weighted", false);
  c.options.only("label_smoothing", 0.0);
  const auto name = c.options.get<std::string>("reduction", "mean");
  CrossEntropyOptions options;
  if (name == "sum") {
    options.reduction = Reduction::sum;
  } else if (name == "none") {
    options.reduction = Reduction::none;
  } else if (name != "mean") {
    c.options.unsupported("reduction");
  }
  return cross_entropy(c["input"], c.file.indices("target"), options);
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
    {"binary", "add", [](const Call& c) -> Variable { return c["a"] + c["b"]; }},
    {"binary", "div", [](const Call& c) -> Variable { return c["a"] / c["b"]; }},
    {"binary", "maximum", [](const Call& c) -> Variable { return maximum(c["a"], c["b"]); }},
    {"binary", "minimum", [](const Call& c) -> Variable { return minimum(c["a"], c["b"]); }},
    {"binary", "mul", [](const Call& c) -> Variable { return c["a"] * c["b"]; }},
    {"binary", "pow", [](const Call& c) -> Variable { return pow(c["a"], c["b"]); }},
    {"binary", "sub", [](const Call& c) -> Variable { return c["a"] - c["b"]; }},
    {"reduce", "mean", reduced<mean>},
    {"reduce", "sum", reduced<sum>},
    {"matmul", "", product},
    {"shape", "broadcast_to", expanded},
    {"shape", "concat", concatenated},
    {"shape", "reshape", reshaped},
    {"shape", "slice", narrow},
    {"shape", "stack", stacked},
    {"shape", "take", rows},
    {"shape", "transpose",
     [](const Call& c) { return permute(c["x"], c.options.get<std::vector<int>>("axes")); }},
    {"normalize", "log_softmax", [](const Call& c) { return log_softmax(c["x"], c.axis()); }},
    {"loss", "cross_entropy", classification},
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
