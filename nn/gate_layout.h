#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

#include <string_view>
#include <utility>
#include <vector>

/// Shared by the converters of weights from and to other libraries.
namespace hindsight::nn::detail {

/// Where another library keeps the gates of a cell: our gate k is its block order[k].
struct GateLayout {
  Size blocks;              ///< of the other library
  std::vector<Size> order;  ///< one for each of our gates

  /// Our gates in our order along an axis, out of the other library's.
  Variable ours(const Variable& theirs, int axis) const;
  /// The other library's blocks, with zeros in those that we lack.
  Variable theirs(const Variable& ours, int axis) const;
};

/// Checked values for parameters, all of which are assigned together at the end.
class Assignments {
 public:
  /// library: for messages, "keras::assign".
  explicit Assignments(std::string_view library) : library_(library) {}

  /// Checks a tensor of the other library from which a parameter gets its value. Error if it is
  /// missing, or if it is given and the parameter is absent; ShapeError unless it has the shape.
  /// Returns whether both are there.
  bool check(const char* name, const Tensor& tensor, const Parameter& parameter,
             const Shape& wanted) const;
  void add(const Parameter& parameter, const Variable& value);
  void apply();

 private:
  std::string_view library_;
  std::vector<std::pair<Parameter, Tensor>> values_;
};

/// OptionError if the module has a parameter other than these: the other library lacks it.
void check_known(std::string_view library, const Module& module,
                 const std::vector<Parameter>& known);
/// Likewise if a network has parameters of its own, beside those of its cells.
void check_cells_only(std::string_view library, const Unroller& network);
/// Error unless there are as many weights as cells or layers (`what`) of the network.
void check_count(std::string_view library, std::size_t given, std::size_t wanted, const char* what);

}  // namespace hindsight::nn::detail
