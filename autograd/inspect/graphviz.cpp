#include <hindsight/autograd/inspect/graphviz.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/tape.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

namespace hindsight {
namespace {

/// A quoted string of the DOT language that shows `text` literally. Backslashes and ampersands are
/// escaped, as Graphviz interprets escapes and HTML entities; control characters other than line
/// breaks become spaces.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '&') {
      result += "&amp;";
    } else {
      result += byte < 0x20 || byte == 0x7f ? ' ' : c;
    }
  }
  return result + '"';
}

/// A part of a value, to decide whether two parts have elements in common.
struct Part {
  bool regular;  // a rectangle; else it may be anywhere in the value
  Gradient::Rectangle place;

  explicit Part(const Operand& operand) : Part(operand.node(), operand.layout()) {}
  Part(const Node* node, const Layout& region) {
    const Shape& whole = node->shape();
    const Size columns = whole.rank() == 0 ? 1 : std::max<Size>(1, whole.back());
    regular = Gradient::rectangle_of(region, columns, &place);
  }
  bool meets(const Part& other) const {
    return !regular || !other.regular || !place.disjoint(other.place);
  }
};

/// The operations that `output` depends on, in the order they ran.
std::vector<const Operation*> operations_before(const Variable& output, const Tape& tape) {
  std::vector<const Operation*> all, result;
  for (const Operation* op = tape.oldest(); op; op = op->next()) all.push_back(op);
  std::unordered_map<const Node*, std::vector<Part>> read;
  const auto reads = [&](const Node* node, const Layout& region) {
    std::vector<Part>& parts = read[node];
    if (parts.empty() || node->in_parts) parts.emplace_back(node, region);
  };
  reads(output.node(), output.layout());
  std::reverse(all.begin(), all.end());
  for (const Operation* op : all) {
    const auto found = read.find(op->output().node());
    if (found == read.end()) continue;
    const Part computed(op->output());
    const auto meets = [&](const Part& part) { return part.meets(computed); };
    const bool in_parts = op->output().node()->in_parts;
    if (in_parts && std::none_of(found->second.begin(), found->second.end(), meets)) continue;
    result.push_back(op);
    for (int i = 0; i < op->inputs().second; ++i) {
      const Operand& input = op->inputs().first[i];
      if (input.node()) reads(input.node(), input.layout());
    }
  }
  std::reverse(result.begin(), result.end());
  return result;
}

/// A box around the operations of one module or time step.
struct Cluster {
  std::string name;
  Size first = ScopePath::kNoStep, last = ScopePath::kNoStep;  // time steps
  std::vector<std::string> lines;
  std::vector<std::unique_ptr<Cluster>> parts;

  std::string title() const {
    if (first == ScopePath::kNoStep) return name;
    if (name.empty() && first == last) return fmt::format("time step {}", first);
    return fmt::format("{} {} to {}", name.empty() ? "time steps" : name + " of steps", first,
                       last);
  }
  void write(int depth, int* number, std::string* text) const {
    const std::string indent(static_cast<std::size_t>(2 * depth), ' ');
    for (const std::string& line : lines) *text += indent + line + "\n";
    for (const auto& part : parts) {
      *text += fmt::format("{}subgraph cluster_{} {{\n{}  label={};\n", indent, (*number)++, indent,
                           quoted(part->title()));
      part->write(depth + 1, number, text);
      *text += indent + "}\n";
    }
  }
};

/// Collects the nodes and edges of the drawing.
class Drawing {
 public:
  explicit Drawing(const DotOptions& options) : options_(options) {}

  void add(const Operation& op);
  void add_leaf(const std::string& key, const std::string& style, const std::string& label) {
    name_of_leaf(key, style, label);
  }
  std::string text() const;

 private:
  struct Source {
    Part part;
    std::string name;
    Size step;
  };
  Cluster& cluster_of(const ScopePath& place);
  std::string name_of(const Operation& op, bool* is_new);
  std::string name_of_leaf(const std::string& key, const std::string& style,
                           const std::string& label);
  std::string leaf_of(const Operand& input, const Operation& op, const std::string& reader, int i);
  void connect(const std::string& from, const std::string& to, Size steps);

  DotOptions options_;
  Cluster root_;
  std::map<std::string, std::string> names_;                     // of drawn operations and leaves
  std::map<std::pair<std::string, std::string>, Size> repeats_;  // by place and operation
  std::unordered_map<const Node*, std::vector<Source>> sources_;
  std::vector<std::string> edges_;
  std::set<std::string> drawn_;
};

Cluster& Drawing::cluster_of(const ScopePath& place) {
  if (!place) return root_;
  Cluster& outer = cluster_of(place.outer());
  const auto [first, last] = place.steps();
  const bool timed = first != ScopePath::kNoStep;
  for (auto known = outer.parts.rbegin(); known != outer.parts.rend(); ++known) {
    Cluster* part = known->get();
    const bool same_steps = timed == (part->first != ScopePath::kNoStep) &&
                            (options_.fold_time || (part->first == first && part->last == last));
    if (part->name != place.name() || !same_steps) continue;
    part->first = std::min(part->first, first);
    part->last = std::max(part->last, last);
    return *part;
  }
  outer.parts.push_back(std::make_unique<Cluster>());
  Cluster& part = *outer.parts.back();
  part.name = place.name();
  part.first = first;
  part.last = last;
  return part;
}

/// With fold_time, the n-th operation of a kind has the same name in every time step.
std::string Drawing::name_of(const Operation& op, bool* is_new) {
  const std::string here = op.place().to_string();
  const Size turn = repeats_[{here, op.name()}]++;
  const std::string modules = op.place().modules();
  const bool folds = options_.fold_time && here != modules;
  const std::string key = fmt::format("{}\n{}\n{}\n{}", folds ? "steps of " + modules : here,
                                      op.name(), turn, op.output().shape());
  const auto [found, added] = names_.emplace(key, fmt::format("op{}", names_.size()));
  *is_new = added;
  return found->second;
}

std::string Drawing::name_of_leaf(const std::string& key, const std::string& style,
                                  const std::string& label) {
  const auto [found, added] = names_.emplace(key, fmt::format("leaf{}", names_.size()));
  if (added) {
    root_.lines.push_back(
        fmt::format("{} [shape=box, {}, label={}];", found->second, style, quoted(label)));
  }
  return found->second;
}

/// A parameter, an input or a constant. With fold_time, those constants of all steps are one.
std::string Drawing::leaf_of(const Operand& input, const Operation& op, const std::string& reader,
                             int i) {
  const Node* node = input.node();
  if (const Parameter* parameter = parameter_of(input)) {
    return name_of_leaf(fmt::format("leaf {}", fmt::ptr(node)), "style=filled",
                        fmt::format("{}\n{}", parameter->name(), parameter->shape()));
  }
  const bool each_step =
      options_.fold_time && !input.recorded() && op.place().to_string() != op.place().modules();
  const std::string key =
      each_step ? fmt::format("{} {}", reader, i) : fmt::format("leaf {}", fmt::ptr(node));
  const Shape& shape = each_step ? input.shape() : node->shape();
  return name_of_leaf(key, input.recorded() ? "style=solid" : "style=dotted",
                      fmt::format("{}\n{}", input.recorded() ? "input" : "constant", shape));
}

/// steps: by how many time steps `to` is later than `from`.
void Drawing::connect(const std::string& from, const std::string& to, Size steps) {
  std::string edge = fmt::format("{} -> {}", from, to);
  if (options_.fold_time && steps != 0)
    edge += fmt::format(" [style=dashed, label=\"t{}{}\"]", steps > 0 ? "-" : "+", std::abs(steps));
  if (drawn_.insert(edge).second) edges_.push_back(edge + ";");
}

void Drawing::add(const Operation& op) {
  bool is_new;
  const std::string name = name_of(op, &is_new);
  Cluster& cluster = cluster_of(op.place());
  if (is_new) {
    cluster.lines.push_back(fmt::format(
        "{} [label={}];", name, quoted(fmt::format("{}\n{}", op.name(), op.output().shape()))));
  }
  const Size step = op.place().time_step();
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    const Operand& input = inputs[i];
    if (!input.node()) continue;
    const auto found = sources_.find(input.node());
    bool drawn = false;
    if (input.recorded() && found != sources_.end()) {
      const Part read(input);
      for (const Source& source : found->second) {
        if (input.node()->in_parts && !source.part.meets(read)) continue;
        const bool timed = step != ScopePath::kNoStep && source.step != ScopePath::kNoStep;
        connect(source.name, name, timed ? step - source.step : 0);
        drawn = true;
      }
    }
    if (!drawn) connect(leaf_of(input, op, name, i), name, 0);
  }
  sources_[op.output().node()].push_back({Part(op.output()), name, step});
}

std::string Drawing::text() const {
  std::string text = "digraph {\n  node [shape=ellipse];\n";
  int number = 0;
  root_.write(1, &number, &text);
  for (const std::string& edge : edges_) text += "  " + edge + "\n";
  return text + "}\n";
}

}  // namespace

std::string to_dot(const Variable& output, const DotOptions& options) {
  if (!output) fail<Error>("to_dot: the output is an empty Variable");
  Drawing drawing(options);
  const std::vector<const Operation*> operations = output.recorded()
                                                       ? operations_before(output, *Tape::current())
                                                       : std::vector<const Operation*>();
  for (const Operation* op : operations) drawing.add(*op);
  if (operations.empty()) {
    drawing.add_leaf(
        "output", "style=solid",
        fmt::format("{}\n{}", output.recorded() ? "input" : "constant", output.shape()));
  }
  return drawing.text();
}

}  // namespace hindsight
