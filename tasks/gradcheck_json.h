#pragma once
#include <hindsight/autograd/gradcheck/gradcheck.h>

#include <string>

namespace hindsight::tasks {

/// A gradient check's report as JSON text: "passed", "complete", "checked", "elements", "kinks",
/// "unresolved", "worst", "tensors", the "warning" where there is one, and where it failed "cause"
/// and "culprit". What is not finite is null.
std::string gradcheck_json(const CheckReport& report);

}  // namespace hindsight::tasks
