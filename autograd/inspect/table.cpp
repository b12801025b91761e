#include <fmt/format.h>
#include <hindsight/autograd/inspect/table.h>

#include <algorithm>
#include <utility>

namespace hindsight::detail {

Table::Table(std::vector<std::string> titles, std::size_t left) : left_(left) {
  rows_.push_back(std::move(titles));
}

void Table::add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

void Table::add_total(std::vector<std::string> cells) {
  add(std::move(cells));
  total_ = true;
}

std::string Table::to_string() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::size_t line = 2 * (widths.size() - 1);
  for (std::size_t width : widths) line += width;
  std::string text;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    if (r == 1 || (total_ && r + 1 == rows_.size())) text += std::string(line, '-') + "\n";
    std::string row;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      row += i == 0 ? "" : "  ";
      row += i < left_ ? fmt::format("{:<{}}", rows_[r][i], widths[i])
                       : fmt::format("{:>{}}", rows_[r][i], widths[i]);
    }
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace hindsight::detail
