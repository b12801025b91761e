#include "gradcheck_json.h"

#include <nlohmann/json.hpp>

namespace hindsight::tasks {
namespace {

using Json = nlohmann::ordered_json;

Json sizes(const Shape& shape) {
  Json result = Json::array();
  for (int i = 0; i < shape.rank(); ++i) result.push_back(shape[i]);
  return result;
}

Json element(const CheckedElement& e, const Shape& shape) {
  const char* const kinds[] = {"smooth", "kink", "jump", "not finite"};
  Json result;
  result["index"] = e.index == CheckedElement::kDirection ? Json("random direction")
                                                          : Json(indices_of(e.index, shape));
  result["analytic"] = e.analytic;
  result["numeric"] = e.numeric;
  result["left"] = e.left;
  result["right"] = e.right;
  result["error"] = e.error;
  result["resolution"] = e.resolution;
  result["kind"] = kinds[static_cast<std::size_t>(e.kind)];
  return result;
}

Json elements(const std::vector<CheckedElement>& list, const Shape& shape) {
  Json result = Json::array();
  for (const CheckedElement& e : list) result.push_back(element(e, shape));
  return result;
}

Json tensor(const CheckedTensor& t) {
  Json result{{"name", t.name},       {"order", t.order},          {"shape", sizes(t.shape)},
              {"checked", t.checked}, {"failed", t.failed},        {"kinks", t.kinks},
              {"zeros", t.zeros},     {"unresolved", t.unresolved}};
  if (t.checked > 0) result["worst"] = element(t.worst, t.shape);
  result["failures"] = elements(t.failures, t.shape);
  result["at_kinks"] = elements(t.at_kinks, t.shape);
  return result;
}

Json blamed(const Culprit& culprit) {
  const char* const kinds[] = {"backward", "value", "constant"};
  Json result{{"kind", kinds[static_cast<std::size_t>(culprit.kind)]},
              {"operation", culprit.operation},
              {"place", culprit.place},
              {"recorded_by_sweep", culprit.in_sweep}};
  if (culprit.time_step != ScopePath::kNoStep) result["time_step"] = culprit.time_step;
  if (culprit.kind == Culprit::Kind::value) return result;
  result["input"] = culprit.input;
  result["shape"] = sizes(culprit.shape);
  if (culprit.kind == Culprit::Kind::backward)
    result["element"] = element(culprit.element, culprit.shape);
  return result;
}

}  // namespace

std::string gradcheck_json(const CheckReport& report) {
  Json result{{"passed", report.passed},   {"complete", report.complete},
              {"checked", report.checked}, {"elements", report.elements},
              {"kinks", report.kinks},     {"unresolved", report.unresolved}};
  result["worst"] = {{"name", report.name}, {"error", report.error}};
  result["tensors"] = Json::array();
  for (const CheckedTensor& t : report.tensors) result["tensors"].push_back(tensor(t));
  if (!report.warning.empty()) result["warning"] = report.warning;
  if (!report.cause.empty()) result["cause"] = report.cause;
  if (report.culprit) result["culprit"] = blamed(*report.culprit);
  // Names may hold bytes that are not UTF-8.
  return result.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hindsight::tasks
