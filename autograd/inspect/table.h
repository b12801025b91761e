#pragma once
#include <string>
#include <vector>

namespace hindsight::detail {

/// Rows of text in aligned columns: the first `left` columns are left-aligned, the others (numbers)
/// right-aligned.
class Table {
 public:
  Table(std::vector<std::string> titles, std::size_t left);
  void add(std::vector<std::string> cells);
  /// A last row, below a line.
  void add_total(std::vector<std::string> cells);
  std::string to_string() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // titles first
  std::size_t left_;
  bool total_ = false;
};

}  // namespace hindsight::detail
