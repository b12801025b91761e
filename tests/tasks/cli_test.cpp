#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "program.h"

using hindsight::test::Outcome;
using hindsight::test::Workplace;

namespace {

using Words = std::vector<std::string>;

const std::string kText = [] {
  std::string text;
  for (int i = 0; i < 120; ++i) text += "the quick brown fox jumps over the lazy dog\n";
  return text;
}();

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Words kTrain = {"charlm", "train",   "--text", "text",    "--hidden",
                      "16",     "--chunk", "16",     "--batch", "4"};
const Words kSample = {"charlm", "sample", "--model", "model.safetensors"};

/// Fails as every command does: status 1, one line that says `what`, nothing on standard output.
void check_rejected(const Workplace& work, const Words& arguments, const std::string& what) {
  const long before = work.entries();
  const Outcome outcome = work.run(arguments);
  INFO(outcome.err);
  CHECK(outcome.status == 1);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.find(what) != std::string::npos);
  CHECK(outcome.err.rfind("hindsight", 0) == 0);
  CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
  CHECK(work.entries() == before);
}

}  // namespace

TEST_CASE("train writes a model and metrics, the same seed the same bytes; sample reads it") {
  const Workplace work;
  work.write("text", kText);
  const Outcome first = work.run(
      kTrain + Words{"--epochs", "2", "--metrics", "m.csv", "--dropout", "0.1", "--layers", "2"});
  INFO(first.err);
  REQUIRE(first.status == 0);
  CHECK(first.err.empty());
  CHECK(first.out.find("epoch 2/2  train ") != std::string::npos);
  CHECK(first.out.find('\r') == std::string::npos);  // plain lines, as this is no terminal
  const std::string csv = work.read("m.csv");
  CHECK(
      csv.rfind("epoch,train_nats,valid_nats,valid_bits_per_char,seconds,characters_per_second\n1,",
                0) == 0);
  CHECK(csv.find("\n2,") != std::string::npos);
  CHECK(csv.back() == '\n');

  const Words again =
      kTrain + Words{"--epochs", "2", "--dropout", "0.1", "--layers", "2", "--out", "other"};
  REQUIRE(work.run(again).status == 0);
  CHECK(work.read("other") == work.read("model.safetensors"));
  REQUIRE(work.run(again + Words{"--seed", "2"}).status == 0);
  CHECK(work.read("other") != work.read("model.safetensors"));

  const Outcome sample = work.run(kSample + Words{"--length", "30", "--prime", "the "});
  CHECK(sample.status == 0);
  CHECK(sample.out.size() == 34);
  CHECK(sample.out.rfind("the ", 0) == 0);
  CHECK(work.run(kSample + Words{"--length", "30", "--prime", "the "}).out == sample.out);
  CHECK(work.run(kSample + Words{"--length", "30", "--prime", "the ", "--seed", "2"}).out !=
        sample.out);
}

TEST_CASE("Ctrl-C saves the model and ends with status 130") {
  for (int signal : {SIGINT, SIGTERM}) {
    const Workplace work;
    work.write("text", kText);
    const pid_t process = work.start(kTrain + Words{"--epochs", "1000000", "--metrics", "m.csv"});
    for (int i = 0; i < 1000 && work.read("m.csv").find("\n1,") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    REQUIRE(kill(process, signal) == 0);
    const Outcome outcome = work.finish(process);
    INFO(outcome.err);
    CHECK(outcome.status == 130);
    CHECK(outcome.out.find("the model so far is saved in model.safetensors\n") !=
          std::string::npos);
    CHECK(work.read("m.csv").back() == '\n');
    CHECK(work.entries() == 3);  // no temporary files
    CHECK(work.run(kSample + Words{"--length", "5"}).status == 0);
  }
}

TEST_CASE("texts that cannot be trained on") {
  const Workplace work;
  work.write("text", kText);
  work.write("empty", "");
  std::filesystem::create_directory(work.path("folder"));
  const auto rejected = [&](const std::string& text, const std::string& what) {
    check_rejected(work, {"charlm", "train", "--text", text, "--metrics", "m.csv"}, what);
    check_rejected(work, {"quickstart", "--text", text}, what);
  };
  rejected("missing", "cannot read 'missing': No such file or directory");
  rejected("folder", "cannot read 'folder': Is a directory");
  rejected("empty", "'empty' is empty");
  rejected(
      "text",
      "'text' is too short: its last tenth has 528 bytes and 32 streams of 64 steps need 2080");
}

TEST_CASE("files that cannot be written are rejected before training") {
  const Workplace work;
  work.write("text", kText);
  std::filesystem::create_directory(work.path("folder"));
  std::filesystem::create_symlink("/dev/full", work.path("full"));
  const std::string too_long(256, 'm');
  const auto rejected = [&](const Words& options, const std::string& what) {
    check_rejected(work, kTrain + options, what);
  };
  rejected({"--out", "none/model"}, "cannot write 'none/model': No such file or directory");
  rejected({"--out", ""}, "cannot write '': No such file or directory");
  rejected({"--out", too_long}, "': File name too long");
  rejected({"--out", "folder"}, "cannot write 'folder': it is a folder");
  rejected({"--out", "/dev/null"}, "cannot write '/dev/null': it is not a regular file");
  rejected({"--out", "text"}, "--out 'text' is the text itself");
  rejected({"--metrics", "none/m.csv"}, "cannot write 'none/m.csv': No such file or directory");
  rejected({"--metrics", "full"}, "cannot write 'full': No space left on device");
  rejected({"--metrics", "./text"}, "--metrics './text' is also the name of another file");
  rejected({"--metrics", "x", "--out", "x"}, "--metrics 'x' is also the name of another file");
  CHECK(work.read("text") == kText);
  check_rejected(work, {"quickstart", "--out", "none/model"},
                 "cannot write 'none/model': No such file or directory");
  check_rejected(work, {"quickstart", "--out", too_long}, "': File name too long");
}

TEST_CASE("a loss that is not finite ends training, and no model is written") {
  const Workplace work;
  work.write("text", kText);
  for (const bool check : {false, true}) {
    const Outcome outcome = work.run(kTrain + Words{"--learning-rate", "1e38"} +
                                     (check ? Words{"--check-finite"} : Words{}));
    INFO(outcome.err);
    CHECK(outcome.status == 1);
    CHECK(outcome.err.find("hindsight charlm train: training failed in step 2: ") == 0);
    CHECK((outcome.err.find(": produced ") != std::string::npos) == check);
    CHECK(outcome.err.find('\n') == outcome.err.size() - 1);
    CHECK_FALSE(work.has("model.safetensors"));
  }
}

TEST_CASE("models that cannot be sampled from") {
  const Workplace work;
  work.write("text", kText);
  REQUIRE(work.run(kTrain + Words{"--epochs", "1"}).status == 0);
  const std::string good = work.read("model.safetensors");
  const auto rejected = [&](const std::string& bytes, const std::string& what) {
    work.write("model.safetensors", bytes);
    check_rejected(work, kSample, what);
  };
  const auto with = [&good](const std::string& from, const std::string& to) {  // of the same length
    std::string bytes = good;
    REQUIRE(bytes.find(from) != std::string::npos);
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  rejected("", "model.safetensors'");
  rejected("hello", "model.safetensors'");
  rejected(kText, "model.safetensors'");
  rejected(good.substr(0, good.size() - 1), "model.safetensors'");
  rejected(with("hindsight charlm 1", "hindsight charlm 2"),
           "'hindsight charlm 2' instead of 'hindsight charlm 1'");
  rejected(with("\"vocabulary\"", "\"vocabularx\""), "its metadata lacks 'vocabulary'");
  rejected(with("\"0a20", "\"0a09"), "the vocabulary in its metadata is malformed");
  rejected(with("\"hidden\":\"16\"", "\"hidden\":\"1x\""), "'hidden' is '1x' in its metadata");
  rejected(with("\"hidden\":\"16\"", "\"hidden\":\"99\""), "more than its");
  rejected(with("\"hidden\":\"16\"", "\"hidden\":\"15\""), "lstm.weight_ih_l0");
  rejected(with("lstm.bias_hh_l0", "lstm.bias_xx_l0"), "lstm.bias_");
  check_rejected(work, {"charlm", "sample", "--model", "missing"}, "'missing'");

  work.write("model.safetensors", good);
  check_rejected(work, kSample + Words{"--prime", "the X"},
                 "the prime holds byte 0x58 ('X') at position 4");
  const Outcome full = work.run(kSample + Words{"--length", "30"}, "/dev/full");
  CHECK(full.status == 1);
  CHECK(full.err == "hindsight charlm sample: cannot write the text: No space left on device\n");
}

TEST_CASE("products run on one thread unless more are asked for") {
  const Workplace work;
  const auto threads = [&work](const Words& environment) {
    const Outcome outcome =
        work.finish(work.start_program("env", environment + Words{HINDSIGHT_PROGRAM, "info"}));
    REQUIRE(outcome.status == 0);
    const std::size_t at = outcome.out.find("\nthreads");
    REQUIRE(at != std::string::npos);
    return std::stoi(outcome.out.substr(outcome.out.find_first_of("0123456789", at)));
  };
  CHECK(threads({"-u", "OMP_NUM_THREADS"}) == 1);
  CHECK(threads({"OMP_NUM_THREADS=3"}) == 3);
  CHECK(threads({"OMP_NUM_THREADS=3,2"}) == 3);
  CHECK(threads({"OMP_NUM_THREADS=none"}) == 1);
}

TEST_CASE("command lines that make no sense") {
  const Workplace work;
  work.write("text", kText);
  check_rejected(work, {},
                 "a command is needed: charlm, gradcheck, quickstart, info; see hindsight --help");
  check_rejected(work, {"charlm"},
                 "a command is needed: train, sample; see hindsight charlm --help");
  check_rejected(
      work, {"fly"},
      "there is no command 'fly': charlm, gradcheck, quickstart, info; see hindsight --help");
  check_rejected(work, {"charlm", "train"},
                 "--text is required; see hindsight charlm train --help");
  check_rejected(work, {"info", "--speed"}, "--speed");
  const auto rejected = [&](const std::string& option, const std::string& value,
                            const std::string& what) {
    check_rejected(work, kTrain + Words{option + "2"}, option + "2");
    check_rejected(work, Words{"charlm", "train", "--text", "text", option, value},
                   option + ": '" + value + "' is not " + what);
  };
  rejected("--layers", "0", "a whole number from 1 to 64");
  rejected("--layers", "1.5", "a whole number from 1 to 64");
  rejected("--layers", "99999999999999999999", "a whole number from 1 to 64");
  check_rejected(work,
                 Words{"charlm", "train", "--text", "text", "--chunk", "16", "--batch", "4",
                       "--hidden", "16384", "--layers", "64"},
                 "takes about 2.1");
  rejected("--epochs", "", "a whole number from 1 to 1000000");
  rejected("--learning-rate", "fast", "a number of at least 0");
  rejected("--learning-rate", "nan", "a number of at least 0");
  rejected("--clip", "-1", "a number of at least 0");
  rejected("--dropout", "1", "a number of at least 0 and below 1");
  rejected("--seed", "-1", "a whole number from 0 to 18446744073709551615");
  rejected("--threads", "0", "a whole number from 1 to 1024");
}

TEST_CASE("help has examples, and info says what runs") {
  const Workplace work;
  for (const Words& command :
       {Words{}, Words{"charlm"}, Words{"charlm", "train"}, Words{"charlm", "sample"},
        Words{"gradcheck"}, Words{"quickstart"}, Words{"info"}}) {
    const Outcome outcome = work.run(command + Words{"--help"});
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find("Examples:\n  hindsight ") != std::string::npos);
  }
  CHECK(work.run({"--version"}).out.rfind("hindsight ", 0) == 0);
  const Outcome info = work.run({"info"});
  CHECK(info.status == 0);
  for (const char* line : {"hindsight ", "backend ", "BLAS kernels ", "SIMD width ", "threads ",
                           "build type ", "native "}) {
    INFO(line);
    CHECK(("\n" + info.out).find(std::string("\n") + line) != std::string::npos);
  }
}

TEST_CASE("quickstart trains, checks, saves and writes") {
  const Workplace work;
  std::string text;
  for (int i = 0; i < 6; ++i) text += kText;
  work.write("text", text);
  const Outcome outcome = work.run({"quickstart", "--text", "text", "--seconds", "0.5"});
  INFO(outcome.out, outcome.err);
  CHECK(outcome.status == 0);
  for (const char* words : {"in double: passed: ", "Model saved in hindsight-charlm.safetensors\n",
                            "bits/char", "The model writes:\n"}) {
    INFO(words);
    CHECK(outcome.out.find(words) != std::string::npos);
  }
  CHECK(work.run({"charlm", "sample", "--model", "hindsight-charlm.safetensors", "--length", "5"})
            .out.size() == 5);
}
