#include "text.h"

#include "networks.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

using Shapes = std::map<int, Shape>;

std::string value(int id) { return fmt::format("v{}", id); }

std::string values(const std::vector<int>& ids) {
  std::string text;
  for (const int id : ids) text += (text.empty() ? "" : ", ") + value(id);
  return text;
}

std::string numbers(const std::vector<Size>& list, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < list.size(); ++i)
    text += fmt::format("{}{}", i > from ? ", " : "", list[i]);
  return text;
}

/// Fills in an operation's text.
std::string call(const Step& step) {
  const std::string pattern = step.operation->text;
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i], next = i + 1 < pattern.size() ? pattern[i + 1] : ' ';
    const auto k = static_cast<std::size_t>(next - '0');
    if (c == '~') {
      text += fmt::format("seed {}", step.seed);
    } else if (c != '%' && c != '#' && c != '$') {
      text += c;
    } else if (next == '*') {
      text += c == '%' ? values(step.inputs) : numbers(step.numbers, 0);
      ++i;
    } else if (c == '%') {
      text += value(step.inputs.at(k));
      ++i;
    } else if (pattern.compare(i + 2, 3, "...") == 0) {
      text += numbers(step.numbers, k);
      i += 4;
    } else {
      text +=
          c == '#' ? fmt::format("{}", step.numbers.at(k)) : fmt::format("{}", step.reals.at(k));
      ++i;
    }
  }
  return text;
}

class Writer {
 public:
  explicit Writer(Shapes shapes) : shapes_(std::move(shapes)) {}

  void line(int depth, const std::string& text, const std::vector<int>& given = {}) {
    std::string line = std::string(static_cast<std::size_t>(2 * depth), ' ') + text;
    std::string shapes;
    for (const int id : given)
      shapes += (shapes.empty() ? "" : ", ") + (shapes_.count(id) ? shapes_[id].to_string() : "?");
    if (!shapes.empty())
      line += fmt::format("{:<{}}// {}", "", line.size() < 58 ? 60 - line.size() : 2, shapes);
    text_ += line + "\n";
  }

  void steps(const std::vector<Step>& steps, int depth) {
    for (const Step& step : steps) {
      const std::string given =
          step.outputs.size() == 1 ? value(step.outputs[0]) : "[" + values(step.outputs) + "]";
      switch (step.kind) {
        case Step::Kind::operation:
          line(depth, fmt::format("{} = {};", given, call(step)), step.outputs);
          break;
        case Step::Kind::recurrent:
          line(depth,
               fmt::format("{} = network({})({});", given, network_text(step), values(step.inputs)),
               step.outputs);
          break;
        case Step::Kind::checkpoint:
          line(depth, fmt::format("{} = checkpoint([=]({}) {{", given, values(step.inputs)));
          close(step, depth, fmt::format("}}, {{{}}});", values(step.inputs)));
          break;
        case Step::Kind::sequence:
          sequence(step, depth, given);
          break;
      }
    }
  }

  const std::string& text() const { return text_; }

 private:
  void close(const Step& step, int depth, const std::string& end) {
    steps(step.body, depth + 1);
    line(depth + 1, fmt::format("return {};", values(step.results)));
    line(depth, end, step.outputs);
  }

  void sequence(const Step& step, int depth, const std::string& given) {
    const std::vector<int> states(step.bound.begin() + 1, step.bound.end()),
        first(step.inputs.begin() + 1, step.inputs.end());
    const Size put = step.numbers[sequence::kFirst];
    line(depth,
         fmt::format("{} = Sequence from state {}{}{}: for each t, {} = {}[t] {{", given,
                     values(first), step.numbers[sequence::kReversed] != 0 ? ", from the end" : "",
                     put > 0 ? fmt::format(", {} steps put at once", put) : "",
                     value(step.bound[0]), value(step.inputs[0])));
    steps(step.body, depth + 1);
    line(depth + 1,
         fmt::format("[{}] = [s.put(t, {}){}];", values(states), value(step.results[0]),
                     step.results.size() > 1
                         ? ", " + values({step.results.begin() + 1, step.results.end()})
                         : ""),
         states);
    line(depth, "}", step.outputs);
  }

  Shapes shapes_;
  std::string text_;
};

const char* text_of(Leaf::Kind kind) {
  switch (kind) {
    case Leaf::Kind::watched:
      return "watched";
    case Leaf::Kind::parameter:
      return "parameter";
    default:
      return "constant";
  }
}

const char* text_of(Leaf::Values values) {
  switch (values) {
    case Leaf::Values::around_zero:
      return "within 1.2";
    case Leaf::Values::away_from_zero:
      return "from 0.1 to 1.3 of either sign";
    default:
      return "from 0.5 to 1.5";
  }
}

}  // namespace

std::map<int, Shape> shapes_of(const Program& program) {
  Shapes shapes;
  for (const Leaf& leaf : program.leaves) shapes[leaf.id] = leaf.shape;
  RunOptions options;
  options.done = [&](const Step& step, const std::vector<Variable>& out) {
    for (std::size_t i = 0; i < out.size(); ++i) shapes[step.outputs[i]] = out[i].shape();
  };
  try {
    loss_of(Instance(program, DType::f64), options);
  } catch (const std::exception&) {  // the shapes up to there
  }
  return shapes;
}

std::string to_text(const Program& program) {
  Shapes shapes = shapes_of(program);
  Writer writer(shapes);
  writer.line(0, fmt::format("// Program of seed {}, {}{}.", program.seed, name(program.dtype),
                             program.keep ? ", every value held to the end" : ""));
  for (const Leaf& leaf : program.leaves) {
    writer.line(0,
                fmt::format("{} = {}({}, seed {});", value(leaf.id), text_of(leaf.kind),
                            text_of(leaf.values), leaf.seed),
                {leaf.id});
  }
  writer.steps(program.steps, 0);
  std::string loss;
  for (const Output& output : program.outputs)
    loss += fmt::format("{}sum({} * weights({}))", loss.empty() ? "" : " + ", value(output.id),
                        output.seed);
  writer.line(0, fmt::format("loss = {};", loss));
  return writer.text();
}

}  // namespace hindsight::random_programs
