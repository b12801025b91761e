// The conformance program itself, on cases whose answer is known.
#include <hindsight/nn/safetensors.h>

#include "program.h"

namespace hindsight::test {
namespace {

void write_case(const Workplace& work, const std::string& name, const std::string& kind,
                const std::string& options, const nn::NamedTensors& tensors) {
  nn::save_safetensors(work.path(name + ".safetensors"), tensors,
                       {{"kind", kind}, {"options", options}});
}

Outcome run_cases(const Workplace& work) {
  return work.finish(work.start_program(HINDSIGHT_CONFORMANCE, {"."}));
}

TEST_CASE("indices are read in their order, however many and however nested") {
  const Workplace work;
  const Tensor x = Tensor::from({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {12}, DType::f64);
  const auto of_all = [](const Shape& shape) { return Tensor::full(shape, 1, DType::f64); };
  write_case(work, "flat", "shape", R"({"op":"take","index":[0,1,2,3,4,5,6,7,8,9,10,-1]})",
             {{"x", x}, {"y", x}, {"cotangent.y", of_all({12})}, {"grad.x", of_all({12})}});
  write_case(work, "nested", "shape", R"({"op":"take","index":[[0,1,2,3,4,5],[6,7,8,9,10,11]]})",
             {{"x", x},
              {"y", x.view(Layout({2, 6}))},
              {"cotangent.y", of_all({2, 6})},
              {"grad.x", of_all({12})}});
  const Outcome outcome = run_cases(work);
  CHECK(outcome.out == "2 passed, 0 failed, 0 skipped\n");
  CHECK(outcome.status == 0);
}

TEST_CASE("unsupported cases are skipped, and a run of skipped cases alone fails") {
  const Workplace work;
  CHECK(run_cases(work).status == 1);
  write_case(work, "a", "poetry", "{}", {});
  write_case(work, "b", "recurrent",
             R"({"cell":"lstm","input_size":2,"hidden_size":2,"peephole":true})",
             {{"param.peephole_l0", Tensor::full({2}, 0, DType::f64)}});
  const Outcome outcome = run_cases(work);
  CHECK(outcome.out ==
        "skipped a: kind poetry\nskipped b: option peephole = true\n"
        "0 passed, 0 failed, 2 skipped\n");
  CHECK(outcome.err == "conformance: no case of '.' passed\n");
  CHECK(outcome.status == 1);
}

}  // namespace
}  // namespace hindsight::test
