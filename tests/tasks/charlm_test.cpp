#include <doctest/doctest.h>

#include <cmath>

#include "char_sampling.h"
#include "char_training.h"
#include "files.h"
#include "program.h"
#include "progress.h"
#include "source_text.h"
#include "support.h"

using namespace hindsight;
using namespace hindsight::tasks;
using hindsight::test::message_of;
using hindsight::test::Workplace;

namespace {

const std::string kText = [] {
  std::string text;
  for (int i = 0; i < 120; ++i) text += "the quick brown fox jumps over the lazy dog\n";
  return text;
}();

bool always(const Pass&) { return true; }

CharModel small_model(const Corpus& corpus, double dropout = 0) {
  Rng rng(3);
  return CharModel(corpus.vocabulary, {.hidden = 16, .layers = 2, .dropout = dropout}, rng);
}

}  // namespace

TEST_CASE("a vocabulary is the distinct bytes in order, negative chars too") {
  const Vocabulary vocabulary("b\xff\na\x80\xff");
  CHECK(vocabulary.bytes() == "\nab\x80\xff");
  CHECK(vocabulary.symbol('b') == 2);
  CHECK(vocabulary.symbol('\xff') == 4);
  CHECK(vocabulary.symbol('c') == -1);
  CHECK(vocabulary.byte(3) == '\x80');
  CHECK(vocabulary.to_hex() == "0a616280ff");
  CHECK(Vocabulary::from_hex("0a616280ff").bytes() == vocabulary.bytes());
  for (const char* wrong : {"", "0", "0a6", "610a", "6161", "0A", "zz", "-1"}) {
    INFO(wrong);
    CHECK(Vocabulary::from_hex(wrong).size() == 0);
  }
}

TEST_CASE("streams are consecutive parts of the text, of equal length") {
  const std::string text = "abcdefghij";  // the last one does not fill three streams
  const Streams streams(text, Vocabulary(text), 3);
  CHECK(streams.length() == 3);
  CHECK(streams.steps() == 2);
  const Indices first = streams.chunk(0, 2), next = streams.chunk(1, 2);
  REQUIRE(first.shape() == Shape{2, 3});
  const std::vector<int> wanted = {0, 3, 6, 1, 4, 7}, wanted_next = {1, 4, 7, 2, 5, 8};
  for (int i = 0; i < 6; ++i) {
    CHECK(first[i] == wanted[static_cast<std::size_t>(i)]);
    CHECK(next[i] == wanted_next[static_cast<std::size_t>(i)]);
  }
  CHECK(message_of<IndexError>([&] { streams.chunk(2, 2); }) == "streams: steps 2 to 4 of 3");
}

TEST_CASE("a corpus keeps the last tenth for validation, with bytes of its own") {
  std::string text(2000, 'a');
  for (std::size_t i = 0; i < text.size(); i += 2) text[i] = 'b';
  text.back() = 'z';
  const Corpus corpus(text, "x", 10, 4);
  CHECK(corpus.vocabulary.bytes() == "abz");
  CHECK(corpus.train.length() == 450);
  CHECK(corpus.valid.length() == 50);
  CHECK(corpus.valid.chunk(49, 1)[3] == 2);
  const Corpus limited(text, "x", 10, 4, 120);
  CHECK(limited.train.length() == 450);
  CHECK(limited.valid.length() == 30);
  CHECK(limited.valid.chunk(0, 1)[1] == corpus.valid.chunk(30, 1)[0]);
  CHECK(limited.vocabulary.bytes() == "abz");
  CHECK(message_of<FileError>([] { Corpus("", "'x'", 10, 4); }) == "'x' is empty");
  CHECK(message_of<FileError>([&] { Corpus(text, "'x'", 60, 4); }) ==
        "'x' is too short: its last tenth has 200 bytes and 4 streams of 60 steps need 244; "
        "use a longer text or smaller chunk and batch sizes");
  CHECK(message_of<FileError>([&] {
          Corpus(text, "'x'", 600, 4);
        }).find("its training part has 1800 bytes") != std::string::npos);
}

TEST_CASE("unigram entropy") {
  CHECK(unigram_entropy("aaaa") == 0);
  CHECK(unigram_entropy("abcdabcd") == doctest::Approx(2));
  CHECK(unigram_entropy("aaab") == doctest::Approx(0.811278));
}

TEST_CASE("training lowers the loss, almost to zero on a text that it can memorise") {
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus);
  CharTrainer trainer(model, {.chunk = 16, .learning_rate = 0.02});
  const Pass before = trainer.validate(corpus.valid, always);
  CHECK(before.complete());
  CHECK(before.nats ==
        doctest::Approx(std::log(static_cast<double>(corpus.vocabulary.size()))).epsilon(0.05));
  for (int epoch = 0; epoch < 6; ++epoch) trainer.train(corpus.train, always);
  const Pass after = trainer.validate(corpus.valid, always);
  CHECK(after.nats < 0.3);
  CHECK(trainer.optimizer().steps() == 6 * ((corpus.train.steps() + 15) / 16));

  CharModel copy = model;  // shares the parameters
  const std::string written =
      sample(copy, {.length = 40, .temperature = 0, .prime = "the quick ", .seed = 1});
  CHECK(written.find("brown") == 0);
}

TEST_CASE("the state is carried over chunks: validation does not depend on the chunk length") {
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus);
  CharTrainer short_chunks(model, {.chunk = 7}), one_chunk(model, {.chunk = 1000});
  CHECK(short_chunks.validate(corpus.valid, always).nats ==
        doctest::Approx(one_chunk.validate(corpus.valid, always).nats).epsilon(1e-5));
}

TEST_CASE("dropout acts in training and not in validation") {
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus, 0.5);
  CharTrainer trainer(model, {.chunk = 16, .learning_rate = 0});
  const double first = trainer.train(corpus.train, always).nats,
               second = trainer.train(corpus.train, always).nats;
  CHECK(first != second);
  CHECK(trainer.validate(corpus.valid, always).nats == trainer.validate(corpus.valid, always).nats);
}

TEST_CASE("streams divided over threads keep their states") {
  const Corpus corpus(kText, "x", 16, 5);
  const auto train = [&](int threads, double dropout) {
    CharModel model = small_model(corpus, dropout);
    CharTrainer trainer(model, {.chunk = 16, .learning_rate = 0.01, .threads = threads});
    std::vector<double> losses;
    for (int epoch = 0; epoch < 2; ++epoch)
      losses.push_back(trainer.train(corpus.train, always).nats);
    losses.push_back(trainer.validate(corpus.valid, always).nats);
    return losses;
  };
  for (double dropout : {0.0, 0.3}) {
    const std::vector<double> wanted = train(1, dropout);
    for (int threads : {2, 3}) {
      const std::vector<double> losses = train(threads, dropout);
      CHECK(train(threads, dropout) == losses);  // the same bits
      for (std::size_t i = 0; i < losses.size(); ++i)
        CHECK(losses[i] == doctest::Approx(wanted[i]).epsilon(2e-3));  // float32, many steps
    }
  }
  // Too little work for several, unless they are asked for; never more than streams.
  CharModel model = small_model(corpus);
  CHECK(CharTrainer(model, {.chunk = 16}).threads(5) == 1);
  CHECK(CharTrainer(model, {.chunk = 16, .threads = 3}).threads(5) == 3);
  CHECK(CharTrainer(model, {.chunk = 16, .threads = 9}).threads(5) == 5);
  CHECK(CharTrainer(model, {.chunk = 100000}).threads(1000) == default_threads());
}

TEST_CASE("a pass ends when the callback returns false") {
  const Corpus corpus(kText, "x", 16, 4);
  CharTrainer trainer(small_model(corpus), {.chunk = 16});
  int chunks = 0;
  const Pass pass = trainer.train(corpus.train, [&](const Pass&) { return ++chunks < 3; });
  CHECK(chunks == 3);
  CHECK(pass.steps == 48);
  CHECK_FALSE(pass.complete());
  CHECK(pass.nats > 0);
}

TEST_CASE("training allocates nothing from the system once it runs") {
  const Corpus corpus(kText, "x", 16, 4);
  CharTrainer trainer(small_model(corpus), {.chunk = 16});
  std::int64_t settled = 0;
  int chunks = 0;
  trainer.train(corpus.train, [&](const Pass& pass) {
    if (++chunks == 3) settled = pool::statistics().system_allocations;
    return pass.steps + 16 <= pass.all_steps;  // the last chunk has another size
  });
  CHECK(chunks > 10);
  CHECK(pool::statistics().system_allocations == settled);
}

TEST_CASE("the model's gradients are right") {
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus);
  const Indices symbols = corpus.train.chunk(0, 5), next = corpus.train.chunk(1, 5);
  const CheckReport report =
      check_gradients([&] { return cross_entropy(model(symbols).logits, next); },
                      model.parameters(), {.elements = 20});
  INFO(report.to_string());
  CHECK(report.passed);
}

TEST_CASE("a loaded model has the same bits as the saved one") {
  const Workplace work;
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus);
  model.save(work.path("a"));
  CharModel loaded = CharModel::load(work.path("a"));
  CHECK(loaded.options().layers == 2);
  CHECK(loaded.vocabulary().bytes() == corpus.vocabulary.bytes());
  const Indices symbols = corpus.train.chunk(0, 5);
  CHECK(test::same_bits(model(symbols).logits.value(), loaded(symbols).logits.value()));
  loaded.save(work.path("b"));
  CHECK(work.read("a") == work.read("b"));
}

TEST_CASE("samples") {
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus);
  const CharSamplingOptions options{.length = 50, .temperature = 1, .prime = "fox", .seed = 5};
  const std::string text = sample(model, options);
  CHECK(text.size() == 50);
  CHECK(sample(model, options) == text);
  CHECK(sample(model, {.length = 50, .temperature = 1, .prime = "fox", .seed = 6}) != text);
  CHECK(sample(model, {.length = 50, .temperature = 0, .prime = "fox", .seed = 5}) ==
        sample(model, {.length = 50, .temperature = 1e-9, .prime = "fox", .seed = 6}));
  CHECK(sample(model, {.length = 0}).empty());
  CHECK(message_of<IndexError>([&] { sample(model, {.prime = "fox!"}); }) ==
        "the prime holds byte 0x21 ('!') at position 3, which is not among the 28 bytes of the "
        "text that the model was trained on");
  CHECK(message_of<OptionError>([&] { sample(model, {.temperature = -1}); }) ==
        "sample: temperature -1; a finite number of at least 0 is needed");
}

TEST_CASE("a training run whose loss is not finite says in which step") {
  const Corpus corpus(kText, "x", 16, 4);
  CharModel model = small_model(corpus);
  model.parameters().back().value().fill(NAN);
  CharTrainer trainer(model, {.chunk = 16}), checking(model, {.chunk = 16, .check_finite = true});
  CHECK(
      message_of<NonFiniteError>([&] { trainer.train(corpus.train, always); }) ==
      "training failed in step 1: the loss is nan; a smaller learning rate or clip norm may help, "
      "--check-finite names the operation");
  CHECK(message_of<NonFiniteError>([&] {
          checking.train(corpus.train, always);
        }).find("produced nan") != std::string::npos);
}

TEST_CASE("a validation loss that is not finite is rejected, whatever the last chunk's loss was") {
  const Corpus corpus(kText, "x", 16, 4);
  // One chunk an epoch: its loss is finite, and training does not see the model after the update.
  CharTrainer trainer(small_model(corpus), {.chunk = 2000, .learning_rate = 1e38});
  CHECK(std::isfinite(trainer.train(corpus.train, always).nats));
  CHECK(message_of<NonFiniteError>([&] { trainer.validate(corpus.valid, always); }) ==
        "the validation loss is nan after step 1");
}

TEST_CASE("a file of lines holds whole lines even where the disk is full") {
  const Workplace work;
  const std::string path = work.path("m.csv"), line(19, 'x');
  LineFile file(path, "header");
  file.append(line);
  std::string message;
  {
    const test::FileSizeLimit limit(40);  // room for half of the next line
    message = message_of<FileError>([&] { file.append(line); });
  }
  CHECK(message == "cannot write '" + path + "': no space left");
  CHECK(work.read("m.csv") == "header\n" + line + "\n");
  file.append("after");
  CHECK(work.read("m.csv") == "header\n" + line + "\nafter\n");
}

TEST_CASE("a file of lines whose header cannot be written is closed") {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = open_files();
  CHECK(message_of<FileError>([] { LineFile("/dev/full", "header"); }) ==
        "cannot write '/dev/full': No space left on device");
  CHECK(open_files() == before);
}

TEST_CASE("how numbers are shown") {
  CHECK(duration(42.4) == "0:42");
  CHECK(duration(-1) == "0:00");
  CHECK(duration(3723) == "1:02:03");
  CHECK(short_count(812) == "812");
  CHECK(short_count(9449) == "9.4k");
  CHECK(short_count(106000) == "106k");
  CHECK(short_count(1234567) == "1.2M");
}

TEST_CASE("the project's own text is there and holds this file") {
  const SourceText source = gather_source_text();
  CHECK(source.files > 20);
  CHECK(source.text.find("the project's own text is there and holds this file") !=
        std::string::npos);
  CHECK(gather_source_text().text == source.text);
}
