#include <cmath>

#include "bench/adbench_model.h"
#include "program.h"
#include "support.h"

using namespace hindsight;
using namespace hindsight::bench;
using namespace hindsight::test;

namespace {

const char* const kPublishedFile = HINDSIGHT_SHARED_DIR "/data/adbench/lstm_l2_c1024.txt";

AdbenchProblem small_problem(Size layers, Size characters, Size bits) {
  AdbenchProblem p{layers, characters, bits, {}, {}, {}, {}};
  Rng rng{7};
  const auto fill = [&](Size count, std::vector<double>* values) {
    for (Size i = 0; i < count; ++i) values->push_back(rng.uniform(-1, 1));
  };
  fill(8 * layers * bits, &p.main);
  fill(3 * bits, &p.extra);
  fill(2 * layers * bits, &p.state);
  fill(characters * bits, &p.sequence);
  return p;
}

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

/// The input v of one time step through layer l, whose state is advanced.
void plain_layer(const AdbenchProblem& p, Size layer, std::vector<double>* state,
                 std::vector<double>* v) {
  for (Size i = 0; i < p.bits; ++i) {
    const double* w = p.main.data() + layer * 8 * p.bits + i;
    const double* b = w + 4 * p.bits;
    double& h = (*state)[static_cast<std::size_t>(2 * layer * p.bits + i)];
    double& c = (*state)[static_cast<std::size_t>((2 * layer + 1) * p.bits + i)];
    double& x = (*v)[static_cast<std::size_t>(i)];
    const double forget = logistic(x * w[0] + b[0]);
    const double ingate = logistic(h * w[p.bits] + b[p.bits]);
    const double outgate = logistic(x * w[2 * p.bits] + b[2 * p.bits]);
    const double change = std::tanh(h * w[3 * p.bits] + b[3 * p.bits]);
    c = c * forget + change * ingate;
    h = outgate * std::tanh(c);
    x = h;
  }
}

/// The objective as it is defined, in loops over numbers.
double plain_objective(const AdbenchProblem& p) {
  std::vector<double> state = p.state;
  double total = 0;
  for (Size t = 0; t + 1 < p.characters; ++t) {
    const double *x = p.sequence.data() + t * p.bits, *next = x + p.bits;
    std::vector<double> v(x, x + p.bits);
    for (Size i = 0; i < p.bits; ++i) v[static_cast<std::size_t>(i)] *= p.extra.data()[i];
    for (Size layer = 0; layer < p.layers; ++layer) plain_layer(p, layer, &state, &v);
    double exponentials = 0;
    for (Size i = 0; i < p.bits; ++i) {
      double& y = v[static_cast<std::size_t>(i)];
      y = y * p.extra.data()[p.bits + i] + p.extra.data()[2 * p.bits + i];
      exponentials += std::exp(y);
    }
    for (Size i = 0; i < p.bits; ++i)
      total += next[i] * (v[static_cast<std::size_t>(i)] - std::log(exponentials + 2));
  }
  return -total / static_cast<double>((p.characters - 1) * p.bits);
}

/// The central difference of the plain loop by one number of the problem.
double difference(const AdbenchProblem& p, double* number) {
  constexpr double kStep = 1e-5;  // truncation ~1e-10, rounding ~1e-11
  const double before = *number;
  *number = before + kStep;
  const double above = plain_objective(p);
  *number = before - kStep;
  const double below = plain_objective(p);
  *number = before;
  return (above - below) / (2 * kStep);
}

std::string refusal(const Workplace& place, const std::string& text) {
  place.write("file", text);
  return message_of<FileError>([&] { read_adbench(place.path("file")); })
      .substr(place.path("file").size());
}

}  // namespace

TEST_CASE("ADBench's published LSTM file has its published objective and gradient") {
  if (!std::filesystem::exists(kPublishedFile)) {
    MESSAGE("skipped: no file at ", std::string(kPublishedFile));
    return;
  }
  AdbenchModel model(read_adbench(kPublishedFile));
  std::vector<double> gradient;
  CHECK(model.gradient(&gradient) == doctest::Approx(0.66666517956).epsilon(1e-10));
  REQUIRE(gradient.size() == 8 * 2 * 14 + 3 * 14);
  CHECK(gradient[0] == doctest::Approx(3.14387025e-06).epsilon(1e-8));
}

TEST_CASE("the LSTM objective and its gradient are those of a plain loop") {
  // One layer and several; bits below, at and above a vector of 8 doubles.
  for (const Size bits : {1, 5, 8, 14}) {
    const Size layers = bits % 3 + 1;
    CAPTURE(bits);
    AdbenchProblem p = small_problem(layers, 6, bits);
    AdbenchModel model(p);
    std::vector<double> gradient;
    const double objective = model.gradient(&gradient);
    CHECK(objective == doctest::Approx(plain_objective(p)).epsilon(1e-12));
    CHECK(model.objective().item() == objective);
    REQUIRE(gradient.size() == p.main.size() + p.extra.size());
    double worst = 0;
    for (std::size_t k = 0; k < gradient.size(); ++k) {
      double* number = k < p.main.size() ? &p.main[k] : &p.extra[k - p.main.size()];
      worst = std::max(worst, std::abs(difference(p, number) - gradient[k]));
    }
    CHECK(worst < 1e-9);
  }
}

TEST_CASE("the LSTM objective passes check_gradients") {
  AdbenchModel model(small_problem(2, 5, 6));
  const CheckReport report = check_gradients([&] { return model.objective(); }, model.parameters(),
                                             {.second_order = true});
  INFO(report.to_string());
  CHECK(report.passed);
  CHECK(report.checked > 8 * 2 * 6 + 3 * 6);
}

TEST_CASE("files that hold no LSTM objective are rejected") {
  const Workplace place;
  const std::string numbers = "1 2 1  1 2 3 4 5 6 7 8  1 2 3  1 2  1 ";  // one is missing
  place.write("file", numbers + "-2.5e-1\n");
  CHECK(read_adbench(place.path("file")).sequence == std::vector<double>{1, -0.25});
  CHECK(refusal(place, numbers) ==
        ": holds 14 numbers after its counts; 1 layers, 2 characters and 1 bits need 15");
  CHECK(refusal(place, numbers + "2 3") ==
        ": goes on after the 15 numbers that 1 layers, 2 characters and 1 bits need");
  CHECK(refusal(place, numbers + "two") == ": word 18 is \"two\"; a finite number is needed");
  CHECK(refusal(place, numbers + "2;") == ": word 18 is \"2;\"; a finite number is needed");
  CHECK(refusal(place, numbers + "nan") == ": word 18 is \"nan\"; a finite number is needed");
  CHECK(refusal(place, numbers + "1e999") == ": word 18 is \"1e999\"; a finite number is needed");
  CHECK(refusal(place, "") == ": ends before its number of layers");
  CHECK(refusal(place, "2 3") == ": ends before its number of bits");
  CHECK(refusal(place, "0 2 1") ==
        ": its number of layers is \"0\"; a whole number of at least 1 is needed");
  CHECK(refusal(place, "1 1 1") ==
        ": its number of characters is \"1\"; a whole number of at least 2 is needed");
  CHECK(refusal(place, "1 2 1.5") ==
        ": its number of bits is \"1.5\"; a whole number of at least 1 is needed");
  CHECK(refusal(place, "9223372036854775807 9223372036854775807 9223372036854775807 1") ==
        ": holds 0 numbers after its counts; 9223372036854775807 layers, 9223372036854775807 "
        "characters and 9223372036854775807 bits are more than any memory holds");
  CHECK(refusal(place, "100000 100000 1000 1 2 3") ==
        ": holds 3 numbers after its counts; 100000 layers, 100000 characters and 1000 bits need "
        "1100003000");
  CHECK(refusal(place, std::string(1000, '\0')).substr(0, 32) ==
        ": its number of layers is \"?????");
  CHECK(message_of<FileError>([&] { read_adbench(place.path("none")); }) ==
        place.path("none") + ": cannot be opened");
  CHECK(message_of<FileError>([&] { read_adbench(place.path("")); }) ==
        place.path("") + ": cannot be read");
}

TEST_CASE("the program adbench prints the objective, or one sentence and status 1") {
  const Workplace place;
  const auto run = [&](const std::vector<std::string>& arguments) {
    return place.finish(place.start_program(HINDSIGHT_ADBENCH, arguments));
  };
  place.write("good", "1 2 1  0 0 0 0 0 0 0 0  1 0 0  0 0  1 1");
  const Outcome good = run({"good", "--seconds", "0.001"});
  CHECK(good.status == 0);
  CHECK(good.err.empty());
  CHECK(good.out.find("objective        1.09861228867\n") == 0);  // log(exp(0) + 2)
  place.write("large", "1 2 1  0 0 0 0 0 0 0 0  1 0 1000  0 0  1 1");
  for (const char* name : {"none", "large"}) {
    const Outcome bad = run({name});
    CHECK(bad.status == 1);
    CHECK(bad.out.empty());
    CHECK(bad.err.find(std::string("adbench: ") + name + ": ") == 0);
    CHECK(std::count(bad.err.begin(), bad.err.end(), '\n') == 1);
  }
}
