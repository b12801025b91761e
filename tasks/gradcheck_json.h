#pragma once
#include <hindsight/autograd/gradcheck/gradcheck.h>

#include <string>

namespace hindsight::tasks {

/// The report of a gradient check as JSON text: "passed", "complete", "checked", "elements",
/// "kinks", "unresolved", "worst", "tensors"; if there are any, "warning", "cause" and "culprit".
/// Numbers that are not finite are null.
std::string gradcheck_json(const CheckReport& report);

}  // namespace hindsight::tasks
