#include "char_model.h"

#include <charconv>
#include <filesystem>

namespace hindsight::tasks {
namespace {

constexpr const char* kKind = "hindsight charlm 1";    // the number is that of the file format
constexpr Size kMostHidden = 16384, kMostLayers = 64;  // the limits of charlm train

/// The metadata that save() writes, checked.
class Header {
 public:
  explicit Header(const std::string& path) : path_(path), entries_(nn::read_metadata(path)) {
    if (const std::string kind = entry("model"); kind != kKind) {
      fail<FileError>(
          "'{}' is not a charlm model: its metadata names the model '{}' instead of '{}'", path,
          kind, kKind);
    }
  }

  std::string entry(const std::string& key) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) {
      fail<FileError>("'{}' is not a charlm model: its metadata lacks '{}'", path_, key);
    }
    return found->second;
  }
  Size number(const std::string& key, Size most) const {
    const std::string text = entry(key);
    Size value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > most) {
      fail<FileError>("'{}': '{}' is '{}' in its metadata; a whole number from 1 to {} is needed",
                      path_, key, text, most);
    }
    return value;
  }
  Vocabulary vocabulary() const {
    const Vocabulary result = Vocabulary::from_hex(entry("vocabulary"));
    if (result.size() == 0) {
      fail<FileError>("'{}': the vocabulary in its metadata is malformed", path_);
    }
    return result;
  }

 private:
  std::string path_;
  decltype(nn::read_metadata("")) entries_;
};

}  // namespace

CharModel::CharModel(const Vocabulary& vocabulary, const CharModelOptions& options, Rng& rng)
    : vocabulary_(vocabulary),
      options_(options),
      lstm_(child("lstm", nn::Lstm({.input = vocabulary.size(),
                                    .hidden = options.hidden,
                                    .layers = options.layers,
                                    .dropout = options.dropout},
                                   rng))),
      dropout_(options.dropout, rng),
      readout_(child("readout",
                     nn::Linear({.inputs = options.hidden, .outputs = vocabulary.size()}, rng))) {}

Size CharModel::parameters_of(const CharModelOptions& options, Size symbols) {
  const Size h = options.hidden;
  Size count = h * symbols + symbols;
  for (Size layer = 0; layer < options.layers; ++layer) {
    count += 4 * h * ((layer == 0 ? symbols : h) + h + 2);
  }
  return count;
}

CharModel::Prediction CharModel::operator()(const Indices& symbols, const nn::States& initial) {
  nn::Unrolled unrolled = lstm_(symbols, initial);
  return {logits(unrolled.outputs), std::move(unrolled.final)};
}

nn::TruncatedBptt CharModel::stream(const nn::TruncatedBpttOptions& options) {
  return {lstm_, options};
}

Variable CharModel::logits(const Variable& outputs) { return readout_(dropout_(outputs)); }

void CharModel::save(const std::string& path) const {
  nn::save(path, *this,
           {{"model", kKind},
            {"hidden", std::to_string(options_.hidden)},
            {"layers", std::to_string(options_.layers)},
            {"vocabulary", vocabulary_.to_hex()}});
}

CharModel CharModel::load(const std::string& path) {
  const Header header(path);
  const Vocabulary vocabulary = header.vocabulary();
  const CharModelOptions options{.hidden = header.number("hidden", kMostHidden),
                                 .layers = header.number("layers", kMostLayers)};
  // Checked before allocating, as the numbers may be damaged.
  const Size needed = parameters_of(options, vocabulary.size());
  const auto bytes = static_cast<Size>(std::filesystem::file_size(path));
  if (needed * bytes_of(DType::f32) > bytes) {
    fail<FileError>("'{}': {} layers of {} units have {} parameters, more than its {} bytes hold",
                    path, options.layers, options.hidden, needed, bytes);
  }
  Rng rng(0);
  CharModel model(vocabulary, options, rng);
  nn::load(path, model);
  return model;
}

}  // namespace hindsight::tasks
