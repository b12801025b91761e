// What the tape records, saves, frees and rejects; derivatives of derivatives; very long tapes.
#include <hindsight/nn/nn.h>
#include <hindsight/optim/optim.h>
#include <pthread.h>

#include "support.h"

namespace hindsight::test {
namespace {

Parameter weight(const Shape& shape, std::uint64_t seed = 1, DType dtype = DType::f64) {
  return Parameter("w", random_tensor(shape, seed, dtype));
}

TEST_CASE("without a tape nothing is recorded") {
  const Parameter w = weight({3});
  CHECK(Tape::current() == nullptr);
  const Variable y = tanh(w * 2);
  CHECK(!y.recorded());
  {
    Tape tape;
    CHECK(Tape::current() == &tape);
    const Variable constant = tanh(y);
    CHECK(!constant.recorded());
    CHECK(tape.operations() == 0);
    const Variable recorded = tanh(w * y);
    CHECK(recorded.recorded());
    CHECK(tape.operations() == 1);  // one fused operation
    {
      Tape::Pause pause;
      CHECK(!Variable(w * y).recorded());
      CHECK(Tape::current() == nullptr);
    }
    CHECK(tape.operations() == 1);
    CHECK(!recorded.detach().recorded());
    CHECK(recorded[1].recorded());
  }
  CHECK(Tape::current() == nullptr);
}

TEST_CASE("detached parts are constants") {
  // d/dx of x * stop(x) is x, which differences do not give: the gradient is compared with the
  // formula.
  const Tensor x = random_tensor({3, 17}, 5);
  const Derivatives d =
      derivatives([](In in) { return in[0] * tanh(in[0]).shape()[0] * in[0].detach(); }, {x});
  const Derivatives wanted = derivatives([&](In in) { return 3 * in[0] * Variable(x); }, {x});
  CHECK(relative_difference(d.gradients[0], wanted.gradients[0]) < 1e-15);
  // With a detached factor that is constant, differences agree too.
  const Variable fixed = Variable(random_tensor({17}, 6)).detach();
  check_both_orders([&](In in) { return tanh(in[0] * fixed); }, {x});
}

TEST_CASE("nested tapes") {
  const Parameter w = weight({4});
  Tape outer;
  const Variable h = w * w;
  Variable carried;
  {
    Tape inner;
    CHECK(!h.recorded());  // a constant there
    carried = h * w;
    CHECK(carried.recorded());
    CHECK(relative_difference(inner.gradient(sum(carried), {Variable(w)})[0].value(), h.value()) <
          1e-15);
    inner.backward(sum(carried));
    CHECK(relative_difference(w.gradient(), h.value()) < 1e-15);
  }
  CHECK(!carried.recorded());
  CHECK(h.recorded());
  Parameter(w).clear_gradient();
  outer.backward(sum(h * carried));  // d/dw (w w c) = 2 w c
  CHECK(relative_difference(w.gradient(), Variable(2 * Variable(w.value()) * carried).value()) <
        1e-15);
}

TEST_CASE("carried Variables are constants: truncated backpropagation") {
  Rng rng(5);
  nn::Lstm lstm({.input = 3, .hidden = 5}, rng);
  lstm.to(DType::f64);
  const Tensor first = random_tensor({4, 2, 3}, 2), second = random_tensor({3, 2, 3}, 3);
  nn::States state;
  std::vector<Tensor> chunked;
  for (const Tensor& chunk : {first, second}) {
    Tape tape;
    const nn::Unrolled run = lstm(Variable(chunk), state);
    for (Parameter p : lstm.parameters()) p.clear_gradient();
    tape.backward(sum(square(run.outputs)));
    state = run.final;
  }
  for (const Parameter& p : lstm.parameters()) chunked.push_back(p.gradient().contiguous_copy());
  // The same second chunk alone, from the state as plain numbers.
  nn::States start;
  {
    const nn::Unrolled run = lstm(Variable(first));
    for (const nn::State& s : run.final) start.push_back(s.detach());
  }
  const Function alone = [&](In) { return sum(square(lstm(Variable(second), start).outputs)); };
  {
    Tape tape;
    for (Parameter p : lstm.parameters()) p.clear_gradient();
    tape.backward(alone({}));
  }
  for (std::size_t i = 0; i < chunked.size(); ++i)
    CHECK(relative_difference(chunked[i], lstm.parameters()[i].gradient()) < 1e-14);
  check_both_orders(alone, {}, lstm.parameters());
}

TEST_CASE("backward adds to parameters and consumes the tape") {
  Parameter w = weight({3});
  CHECK(!w.has_gradient());
  CHECK(w.gradient().to_vector() == std::vector<double>(3, 0.0));
  CHECK(!w.has_gradient());  // reading it creates none
  Tape tape;
  const Variable x = w;
  const Variable loss = sum(square(x));
  tape.backward(loss);
  CHECK(tape.operations() == 0);
  CHECK(!loss.recorded());
  CHECK(w.has_gradient());
  const Tensor twice = Variable(2 * Variable(w.value())).value();
  CHECK(relative_difference(w.gradient(), twice) < 1e-15);
  tape.backward(sum(square(w)));  // the tape continues to record; the gradient is added
  CHECK(relative_difference(w.gradient(), Variable(2 * Variable(twice)).value()) < 1e-15);
  w.clear_gradient();
  CHECK(!w.has_gradient());
  tape.backward(sum(square(w)));
  CHECK(relative_difference(w.gradient(), twice) < 1e-15);
  tape.backward(sum(Variable(w)));  // a bare sum, and a parameter of one element as its own loss
  CHECK(relative_difference(w.gradient(), Variable(1 + Variable(twice)).value()) < 1e-15);
  Parameter one("one", Tensor::full({1, 1}, 3));
  tape.backward(one);
  CHECK(one.gradient().item() == 1);
  // A loss that is a view of a larger value.
  w.clear_gradient();
  const Variable squares = square(w);
  tape.backward(squares[1]);
  CHECK(w.gradient().to_vector() == std::vector<double>{0, twice.at(1), 0});
}

TEST_CASE("values that cannot be differentiated are rejected") {
  const Parameter w = weight({3});
  const char* unrecorded =
      "backward: the output is not recorded on this tape: it depends on no parameter or watched "
      "input, or was recorded before the tape was created or before its last backward()";
  const Variable before = sum(Variable(w));
  Tape tape;
  const Variable y = w * 2;
  CHECK(message_of<TapeError>([&] { tape.backward(before); }) == unrecorded);
  CHECK(message_of<TapeError>([&] { tape.backward(Variable()); }) == unrecorded);
  CHECK(message_of<TapeError>([&] {
          tape.gradient(std::vector<Variable>{sum(y), Variable()}, {w});
        }) == "gradient: output 1 is an empty Variable");
  CHECK(message_of<TapeError>([&] { tape.gradient({Variable()}, {w}, {.create_graph = true}); }) ==
        "gradient: output 0 is an empty Variable");
  CHECK(message_of<TapeError>([&] { tape.backward(y); }) ==
        "backward: the loss has shape (3,); a scalar is needed (sum or mean it)");
  CHECK(message_of<TapeError>([&] { tape.gradient({y}, {w}); }) ==
        "gradient: output 0 has shape (3,); a scalar, or a cotangent of that shape, is needed");
  CHECK(message_of<TapeError>([&] { tape.gradient(sum(y), {before}); }) ==
        "gradient: input 0 is not recorded on this tape");
  CHECK(message_of<TapeError>([&] {
          tape.gradient({y, y}, {w}, {.cotangents = {y}});
        }) == "gradient: 1 cotangents for 2 outputs");
  CHECK(message_of<ShapeError>([&] { tape.gradient({y}, {w}, {.cotangents = {before}}); }) ==
        "gradient: output 0 has shape (3,) but its cotangent has shape ()");
  const Variable other = tape.watch(w.value());
  CHECK(message_of<TapeError>([&] { tape.gradient(sum(y), {other}, {.throw_if_unused = true}); }) ==
        "gradient: output 0 does not depend on any input");
  CHECK(message_of<TapeError>([&] {
          tape.gradient(sum(y), {w, other}, {.throw_if_unused = true});
        }) == "gradient: no output depends on input 1");
  CHECK(tape.gradient(sum(y), {other})[0].value().to_vector() == std::vector<double>(3, 0.0));
  // After all these errors the tape works as before.
  const Variable loss = sum(square(y) + other);
  CHECK(relative_difference(tape.gradient(loss, {other})[0].value(),
                            Tensor::full({3}, 1, DType::f64)) == 0);
  tape.backward(loss);
  CHECK(relative_difference(w.gradient(), Variable(8 * Variable(w.value())).value()) < 1e-15);
  CHECK(message_of<TapeError>([&] { tape.backward(loss); }) == unrecorded);
}

TEST_CASE("a gradient() that throws half-way leaves nothing behind") {
  const Parameter w = weight({3});
  Tape tape;
  const Variable h = tanh(w), y = sum(h * h);
  message_of<ShapeError>([&] {
    tape.gradient({y, h}, {w}, {.cotangents = {Variable(Tensor::full({}, 1, DType::f64)), y}});
  });
  tape.backward(y);
  CHECK(w.has_gradient());
  const Tensor t = Variable(tanh(Variable(w.value()))).value();
  CHECK(relative_difference(w.gradient(),
                            Variable(2 * Variable(t) * (1 - square(Variable(t)))).value()) < 1e-14);
}

TEST_CASE("gradient() touches no parameter and can be repeated") {
  Rng rng(3);
  nn::Lstm lstm({.input = 3, .hidden = 4}, rng);
  nn::Linear readout({.inputs = 4, .outputs = 5}, rng);
  std::vector<Parameter> all = lstm.parameters();
  for (const Parameter& p : readout.parameters()) all.push_back(p);
  Tape tape;
  const Variable x = tape.watch(random_tensor({6, 2, 3}, 4, DType::f32));
  const Indices targets(std::vector<int>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1}, {6, 2});
  const Variable outputs = lstm(x).outputs;
  const Variable loss = cross_entropy(readout(outputs), targets);
  std::vector<Variable> wanted{x, outputs};
  for (const Parameter& p : all) wanted.emplace_back(p);
  const std::vector<Variable> first = tape.gradient(loss, wanted),
                              second = tape.gradient(loss, wanted);
  for (const Parameter& p : all) CHECK(!p.has_gradient());
  std::vector<Tensor> kept;
  for (const Variable& g : first) kept.push_back(g.value().contiguous_copy());
  tape.backward(loss);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(same_bits(first[i].value(), second[i].value()));
    CHECK(same_bits(first[i].value(), kept[i]));  // results are not overwritten by a later sweep
    if (i >= 2) CHECK(relative_difference(all[i - 2].gradient(), kept[i]) < 1e-6);
  }
}

TEST_CASE("gradients with respect to intermediate values, views and parameters") {
  for (const bool create_graph : {false, true}) {
    INFO("create_graph ", create_graph);
    const GradientOptions options{{}, create_graph, false};
    const Parameter w = weight({3, 4});
    Tape tape;
    const Variable h = tanh(w), y = sum(square(h) * h[1]);
    const auto g = tape.gradient(
        y, {h, Variable(w), h[1], h, Variable(w)[2], transpose(h), slice(h, 1, 1, 2)}, options);
    const Variable v = h.detach();
    const Tensor rows = Variable(2 * v * v[1]).value(),
                 extra = Variable(sum(square(v), {0})).value();
    const Tensor wanted = rows.contiguous_copy();
    copy(extra, wanted.view(wanted.layout().select(0, 1)), true);
    CHECK(relative_difference(g[0].value(), wanted) < 1e-14);
    CHECK(relative_difference(g[1].value(), Variable(Variable(wanted) * (1 - square(v))).value()) <
          1e-14);
    CHECK(relative_difference(g[2].value(), wanted.view(wanted.layout().select(0, 1))) < 1e-14);
    CHECK(relative_difference(g[3].value(), wanted) < 1e-14);
    CHECK(relative_difference(g[4].value(), g[1].value().view(g[1].layout().select(0, 2))) < 1e-14);
    CHECK(relative_difference(g[5].value(), wanted.view(wanted.layout().permute({1, 0}))) < 1e-14);
    CHECK(relative_difference(g[6].value(), wanted.view(wanted.layout().slice(1, 1, 2))) < 1e-14);
    CHECK(!w.has_gradient());
    CHECK(tape.gradient(y, {y}, options)[0].item() == 1);
    CHECK(message_of<TapeError>([&] {
            tape.gradient(y, {h}, {.create_graph = create_graph, .throw_if_unused = true});
          }) == "nothing was thrown");
  }
}

TEST_CASE("cotangents weight outputs, and are not changed") {
  const Parameter w = weight({5});
  Tape tape;
  const Variable a = square(w), b = tanh(w);
  const Tensor va = random_tensor({5}, 7);
  const GradientOptions options{
      .cotangents = {Variable(random_tensor({5}, 7)), Variable(random_tensor({5}, 8))}};
  for (int repeat = 0; repeat < 2; ++repeat) {
    const Tensor g = tape.gradient({a, b}, {w}, options)[0].value();
    const Variable x(w.value()), t = tanh(x);
    const Variable wanted = 2 * x * Variable(va) + (1 - t * t) * Variable(random_tensor({5}, 8));
    CHECK(relative_difference(g, wanted.value()) < 1e-14);
    REQUIRE(options.cotangents[0].value());
    CHECK(same_bits(options.cotangents[0].value(), va));
  }
}

TEST_CASE("higher derivatives") {
  // tanh''' = -2 (1 - t^2)(1 - 3 t^2)
  const Tensor x = random_tensor({17}, 9);
  Tape tape;
  const Variable v = tape.watch(x);
  Variable y = sum(tanh(v));
  for (int order = 1; order <= 3; ++order)
    y = sum(tape.gradient(y, {v}, {.create_graph = true})[0]);
  Tape again;
  const Variable u = again.watch(x);
  Variable d = tanh(u);
  for (int order = 1; order <= 3; ++order)
    d = again.gradient(sum(d), {u}, {.create_graph = true})[0];
  const Variable t = tanh(Variable(x)), wanted = -2 * (1 - t * t) * (1 - 3 * t * t);
  CHECK(relative_difference(d.value(), wanted.value()) < 1e-13);
  CHECK(y.item() == doctest::Approx(sum(wanted).item()).epsilon(1e-12));
}

TEST_CASE("a recorded sweep recomputes released values") {
  // Temporary constants and values that nothing else holds when the second sweep needs them.
  Parameter w = weight({2, 3});
  Tape tape;
  Variable loss;
  Variable x = tape.watch(random_tensor({2, 3}, 21));
  {
    Variable h = w + Variable(Tensor::full({2, 3}, 0.5, DType::f64));
    h = h - tape.watch(Tensor::full({2, 3}, 0.25, DType::f64));
    h = concat({h, Variable(Tensor::full({1, 3}, 0.5, DType::f64))}, 0);
    loss = sum(transpose(h)) + sum(square(reshape(slice(h, 0, 0, 2) + x, {6})));
  }
  const Variable g = tape.gradient(loss, {w}, {.create_graph = true})[0];
  const Variable wanted = 1 + 2 * (Variable(w.value()) + 0.25 + x.detach());
  CHECK(relative_difference(g.value(), wanted.value()) < 1e-14);
  CHECK(relative_difference(tape.gradient(sum(square(g)), {w})[0].value(),
                            Variable(4 * wanted).value()) < 1e-14);
}

TEST_CASE("forward-over-reverse products agree with a dense Hessian") {
  const Parameter w = weight({2, 3});
  const Tensor x = random_tensor({4, 2}, 3);
  Tape tape;
  const Variable p = w, y = sum(square(tanh(matmul(Variable(x), p))));
  const Variable g = tape.gradient(y, {p}, {.create_graph = true})[0];
  std::vector<double> hessian;
  for (Size i = 0; i < 6; ++i) {
    const Tensor unit = Tensor::zeros({2, 3}, DType::f64);
    unit.set(i, 1);
    for (double h :
         tape.gradient({g}, {p}, {.cotangents = {Variable(unit)}})[0].value().to_vector())
      hessian.push_back(h);
  }
  for (std::size_t i = 0; i < 6; ++i) {
    for (std::size_t j = 0; j < i; ++j)
      CHECK(hessian[i * 6 + j] == doctest::Approx(hessian[j * 6 + i]).epsilon(1e-12));
  }
  const Tensor direction = random_tensor({2, 3}, 4);
  const Tensor product = tape.gradient(sum(g * Variable(direction)), {p})[0].value();
  for (Size i = 0; i < 6; ++i) {
    double wanted = 0;
    for (Size j = 0; j < 6; ++j)
      wanted += hessian[static_cast<std::size_t>(i * 6 + j)] * direction.at(j);
    CHECK(product.at(i) == doctest::Approx(wanted).epsilon(1e-11));
  }
}

// 100,000 recorded steps must not nest: the thread has 256 KiB of stack.
void* train_long(void* result) {
  Rng rng(1);
  nn::Lstm lstm({.input = 2, .hidden = 8}, rng);
  optim::Sgd sgd(lstm.parameters(), {.learning_rate = 0.01, .clip_norm = 1});
  const Variable x(random_tensor({100000, 1, 2}, 2, DType::f32));
  for (int step = 0; step < 2; ++step) {
    Tape tape;
    const Variable loss = mean(square(lstm(x).outputs - 0.5));
    static_cast<double*>(result)[step] = loss.item();
    tape.backward(loss);
    sgd.step();
  }
  return nullptr;
}

TEST_CASE("a tape of 100,000 steps trains in 256 KiB of stack") {
#if defined(HINDSIGHT_ADDRESS_SANITIZER)
  constexpr std::size_t kStack = 1 << 20;  // sanitizers' frames are larger
#else
  constexpr std::size_t kStack = 256 << 10;
#endif
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, kStack) == 0);
  pthread_t thread;
  double losses[2] = {};
  REQUIRE(pthread_create(&thread, &attributes, train_long, losses) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
  CHECK(losses[0] > 0);
  CHECK(losses[1] < losses[0]);
}

}  // namespace
}  // namespace hindsight::test
