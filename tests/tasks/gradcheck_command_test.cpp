// `hindsight gradcheck`: every model passes; reports as text and JSON, rejected options, Ctrl-C.
#include <hindsight/autograd/autograd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "gradcheck_json.h"
#include "program.h"

namespace hindsight::test {
namespace {

using Words = std::vector<std::string>;
using Json = nlohmann::json;

Words with(Words options) {
  options.insert(options.begin(), "gradcheck");
  return options;
}

TEST_CASE("every model of the list passes, with layers, directions, lengths, second order") {
  const Workplace work;
  for (const std::string model : {"lstm", "rnn", "rnn-relu"}) {
    const Outcome outcome =
        work.run(with({"--model", model, "--steps", "3", "--input", "2", "--hidden", "3",
                       "--layers", "2", "--bidirectional", "--lengths", "3,2", "--second-order"}));
    INFO(model, outcome.err, outcome.out);
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    for (const char* name : {"\nweight_hh_l1_reverse ", "\ninput ", "\nh0_l0_reverse ",
                             "\nsecond order of weight_ih_l0 ", "\npassed: "})
      CHECK(outcome.out.find(name) != std::string::npos);
    CHECK(outcome.out.find("WRONG") == std::string::npos);
  }
  const Outcome projected =
      work.run(with({"--model", "lstm", "--projection", "2", "--steps", "2"}));
  CHECK(projected.status == 0);
  CHECK(projected.out.find("\nweight_hr_l0 ") != std::string::npos);
  CHECK(projected.out.find("(2, 4)  ") != std::string::npos);
  const Words fast = with({"--model", "rnn", "--hidden", "40", "--fast", "--directions", "3"});
  const Outcome first = work.run(fast);
  CHECK(first.status == 0);
  CHECK(first.out.find("\npassed: 3 directions, worst all together") != std::string::npos);
  CHECK(work.run(fast).out == first.out);
}

TEST_CASE("status 1 if something does not agree, and the report as JSON") {
  const Workplace work;
  const Words small = with({"--model", "rnn", "--steps", "2", "--hidden", "2", "--json", "r.json"});
  REQUIRE(work.run(small).status == 0);
  const Json passed = Json::parse(work.read("r.json"));
  CHECK(passed["passed"] == true);
  CHECK(passed["tensors"].size() == 6);
  CHECK(passed["tensors"][0]["name"] == "weight_ih_l0");
  CHECK(passed["tensors"][0]["shape"] == Json({2, 3}));
  CHECK(passed["tensors"][0]["checked"] == 6);
  CHECK(passed["tensors"][0]["worst"]["index"].size() == 2);
  CHECK(!passed.contains("cause"));
  CHECK(passed["elements"] == passed["checked"]);
  CHECK(passed["unresolved"] == 0);
  CHECK(!passed.contains("warning"));

  Words strict = small;  // a smaller tolerance than differences can resolve
  strict.insert(strict.end(), {"--tolerance", "1e-14"});
  const Outcome outcome = work.run(strict);
  CHECK(outcome.status == 1);
  CHECK(outcome.out.find(" WRONG\n") != std::string::npos);
  CHECK(outcome.out.find("\nFAILED: ") != std::string::npos);
  CHECK(Json::parse(work.read("r.json"))["passed"] == false);
}

TEST_CASE("the culprit, kinks and numbers that are not finite, as JSON") {
  const Parameter w("w", Tensor::from({1, 0, 2}, {3}, DType::f64));
  const auto report = [&](const std::function<Variable()>& f) {
    return Json::parse(tasks::gradcheck_json(check_gradients(f, {w})));
  };
  const Json cut = report([&] {
    const Scope step(TimeStep{4});
    return sum(relu(w) * Variable(w).detach());
  });
  CHECK(cut["passed"] == false);
  CHECK(cut["culprit"]["kind"] == "constant");
  CHECK(cut["culprit"]["operation"] == "mul");
  CHECK(cut["culprit"]["input"] == "w");
  CHECK(cut["culprit"]["time_step"] == 4);
  CHECK(cut["tensors"][0]["failures"].size() == 2);
  CHECK(cut["tensors"][0]["failures"][0]["index"] == Json({2}));
  const Json kink = report([&] { return sum(relu(w)); });
  CHECK(kink["passed"] == true);
  CHECK(kink["kinks"] == 1);
  CHECK(kink["tensors"][0]["at_kinks"][0]["kind"] == "kink");
  const Json blind = report([&] { return Variable(1 + 1e-14 * sum(square(w))); });
  CHECK(blind["passed"] == true);
  CHECK(blind["unresolved"] == 2);
  CHECK(blind["tensors"][0]["unresolved"] == 2);
  CHECK(blind["tensors"][0]["zeros"] == 1);
  CHECK(blind["tensors"][0]["worst"]["resolution"] > 1e-9);
  CHECK(blind["warning"].get<std::string>().find("no derivative of w could be compared") == 0);
  const Json infinite = report([&] { return sum(log(w)); });
  CHECK(infinite["passed"] == false);
  CHECK(infinite["worst"]["error"].is_null());
  CHECK(infinite["cause"].get<std::string>().find("log: produced -inf at [1]") !=
        std::string::npos);
}

TEST_CASE("what is rejected: status 1 and one sentence") {
  const Workplace work;
  const auto rejected = [&](const Words& options, const std::string& what) {
    const Outcome outcome = work.run(with(options));
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.rfind("hindsight gradcheck: ", 0) == 0);
    CHECK(outcome.err.find(what) != std::string::npos);
    CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
  };
  rejected({}, "--model is required");
  rejected({"--model", "perceptron"}, "there is no model 'perceptron': lstm, lstm-1997, ");
  rejected({"--model", "rnn", "--projection", "2"}, "--projection: model 'rnn' has none");
  rejected({"--model", "lstm", "--projection", "4"}, "projection 4 is outside of [0, 4)");
  rejected({"--model", "lstm", "--lengths", "5"}, "1 lengths for a batch of 2");
  rejected({"--model", "lstm", "--lengths", "5,6"}, "length 6 is outside of [1, 5]");
  rejected({"--model", "lstm", "--lengths", "5,x"}, "--lengths: 'x' is not a whole number");
  rejected({"--model", "lstm", "--steps", "0"}, "--steps: '0' is not a whole number from 1");
  rejected({"--model", "lstm", "--tolerance", "0"}, "--tolerance: '0' is not a number");
  rejected({"--model", "lstm", "--json", "none/r"}, "cannot write 'none/r'");
  rejected({"--model", "lstm", "--json", std::string(256, 'r')}, "': File name too long");
}

/// Whether a process already handles SIGINT.
bool catches_interrupt(pid_t process) {
  // Until exec, the process is a copy of this one, which handles it too.
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path exe = fs::read_symlink("/proc/" + std::to_string(process) + "/exe", error);
  if (error || exe == fs::read_symlink("/proc/self/exe")) return false;
  const std::string status = bytes_of_file("/proc/" + std::to_string(process) + "/status");
  const std::size_t at = status.find("SigCgt:");
  return at != std::string::npos && (std::stoull(status.substr(at + 7), nullptr, 16) >> 1 & 1);
}

TEST_CASE("Ctrl-C ends the check, which reports what it has found so far") {
  const Workplace work;
  const pid_t process =
      work.start(with({"--model", "lstm", "--hidden", "200", "--steps", "50", "--json", "r.json"}));
  for (int i = 0; i < 3000 && !catches_interrupt(process); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  REQUIRE(kill(process, SIGINT) == 0);
  const Outcome outcome = work.finish(process);
  INFO(outcome.out, outcome.err);
  CHECK(outcome.status == 130);
  CHECK(outcome.out.find("passed so far: ") != std::string::npos);
  CHECK(Json::parse(work.read("r.json"))["complete"] == false);
}

}  // namespace
}  // namespace hindsight::test
