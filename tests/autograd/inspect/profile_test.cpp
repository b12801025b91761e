// Profiles: what forward and backward of each operation take.
#include "autograd/inspect/small_model.h"

namespace hindsight::test {
namespace {

TEST_CASE("profile: forward and backward of each operation, by place, also after the sweep") {
  Rng rng(1);
  Model model(rng);
  model.loss(5);
  Profile profile;
  {
    Tape tape;
    const Variable loss = model.loss(20);
    double traced = 0;
    for (const TraceRow& row : trace(tape).rows) {
      CHECK(row.seconds > 0);
      traced += row.seconds;
    }
    CHECK(std::abs(traced - profile.total().forward) < 1e-9);
    CHECK(trace(tape).to_string().find("forward ms") != std::string::npos);
    CHECK(profile.total().count == tape.operations());
    CHECK(profile.total().backward == 0);
    tape.backward(loss);
  }
  const Profile::Row total = profile.total();
  CHECK(total.backward > 0);
  bool weights = false;
  for (const Profile::Row& row : profile.rows()) {
    weights = weights || (row.op == "weight gradient" && row.place == "encoder.weight_hh_l0");
    if (row.op == "put_step") {
      CHECK(row.place == "encoder, layer 0, each time step");
      CHECK(row.count == 20);
      CHECK(row.swept == 20);
      CHECK(row.bytes == 20 * 4 * 3 * 4);
    }
  }
  CHECK(weights);
  const std::string text = profile.to_string();
  CHECK(text.find("backward ms") != std::string::npos);
  CHECK(occurrences(text, "\n") == static_cast<Size>(profile.rows().size()) + 4);
  profile.clear();
  CHECK(profile.rows().empty());
}

TEST_CASE("profile: only what runs while it is active; a checkpoint's second run counts too") {
  const Parameter w("w", random_tensor({3}, 1));
  Tape tape;
  const Variable before = exp(w);
  Variable loss;
  {
    Profile profile;
    loss = sum(checkpoint([&](In in) { return tanh(in[0]); }, {before}));
    CHECK(trace(tape).rows[0].seconds == 0);  // before the profile
    tape.backward(loss);
    for (const Profile::Row& row : profile.rows()) {
      if (row.op == "tanh") CHECK((row.count == 2 && row.swept == 1));
      if (row.op == "exp") CHECK((row.count == 0 && row.swept == 1));
    }
  }
  CHECK(Profile::current() == nullptr);
}

}  // namespace
}  // namespace hindsight::test
