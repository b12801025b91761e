// Every public operation has a row in the gradient table, and a line in docs/operations.md.
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "support.h"

namespace hindsight::test {
namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

const fs::path kSource = HINDSIGHT_SOURCE_DIR;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Declared like operations, but means to write or to differentiate them.
const Names kMeans{"apply", "elementwise", "jacobian"};

// Without derivatives: their results are whole numbers or constants.
const Names kWithoutGradient{"argmax", "dropout_mask", "stop_gradient"};

// Their gradient is intentionally not the derivative: gradient_hooks_test.cpp.
const Names kOtherGradient{"hook_gradient", "scale_gradient", "clip_gradient"};

/// Functions of Variables that a header declares outside of namespace detail.
void collect(const std::string& header, Names* names) {
  static const std::regex declared(
      "^(?:inline )?(?:Variable|Tensor|Indices|auto|std::vector<Variable>) ([a-z]\\w*)\\((.*)");
  static const std::regex macro(
      "^HINDSIGHT_(?:XSIMD_|NEW_|BETTER_)(?:UNARY|BINARY)\\( *(operator.|\\w+),.*");
  if (header.find("namespace hindsight::detail {") != std::string::npos) return;
  bool detail = false;
  std::istringstream lines(header);
  std::smatch found;
  for (std::string line; std::getline(lines, line);) {
    if (line.find("}  // namespace detail") == 0) detail = false;
    if (line.find("namespace detail {") == 0) detail = true;
    if (detail) continue;
    if (std::regex_match(line, found, macro)) names->insert(found[1]);
    if (std::regex_match(line, found, declared)) names->insert(found[1]);
  }
}

Names public_operations() {
  Names names;
  for (const char* folder : {"elementwise", "ops"}) {
    for (const auto& entry : fs::directory_iterator(kSource / "autograd" / folder)) {
      const fs::path extension = entry.path().extension();
      if (extension == ".h" || extension == ".inc") collect(text_of(entry.path()), &names);
    }
  }
  collect(text_of(kSource / "autograd" / "derivatives" / "checkpoint.h"), &names);
  for (const std::string& name : kMeans) names.erase(name);
  return names;
}

TEST_CASE("operations are found in headers") {
  Names names;
  collect(
      "namespace hindsight {\n"
      "Variable one(const Variable& x, int axis);\n"
      "template <class X>\n"
      "auto two(X&& x) {\n"
      "  Variable inside(x);\n"
      "}\n"
      "namespace detail {\n"
      "Variable hidden(const Variable& x);\n"
      "}  // namespace detail\n"
      "HINDSIGHT_NEW_UNARY( three,  Three, x)\n"
      "HINDSIGHT_XSIMD_BINARY( operator+, Add)\n"
      "#define HINDSIGHT_NEW_UNARY(name, F)\n",
      &names);
  CHECK(names == Names{"one", "two", "three", "operator+"});
  CHECK(public_operations().size() > 90);
}

TEST_CASE("every operation has a row in the gradient table") {
  std::string rows;
  for (const auto& entry : fs::directory_iterator(kSource / "tests" / "autograd" / "ops")) {
    if (entry.path().filename().string().find("gradient_table") == 0) rows += text_of(entry.path());
  }
  for (const std::string& name : public_operations()) {
    if (kWithoutGradient.count(name) || kOtherGradient.count(name)) continue;
    INFO(name);
    const bool is_operator = name.find("operator") == 0;
    const std::regex call(is_operator ? "x\\[\\d\\] \\" + name.substr(8) + " x|[( ]\\" +
                                            name.substr(8) + "x\\["
                                      : "[^\\w.]" + name + "(<\\w+>)?\\(");
    CHECK(std::regex_search(rows, call));
  }
}

TEST_CASE("docs/operations.md lists every operation and nothing else") {
  const std::string page = text_of(kSource / "docs" / "operations.md");
  Names listed;
  static const std::regex row("\\n\\| `([^`(<]+)");
  for (std::sregex_iterator i(page.begin(), page.end(), row), end; i != end; ++i)
    listed.insert((*i)[1]);
  for (const std::string& name : public_operations()) {
    INFO(name);
    CHECK(listed.count(name) == 1);
  }
  for (const std::string& name : listed) {
    INFO(name);
    CHECK(public_operations().count(name) == 1);
  }
}

}  // namespace
}  // namespace hindsight::test
