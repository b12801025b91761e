#include <hindsight/nn/safetensors.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

namespace hindsight::nn {
namespace {

using detail::printable;

constexpr StoredType kTypes[] = {StoredType::f32, StoredType::f64, StoredType::i32, StoredType::i64,
                                 StoredType::boolean};

/// Reads the header's JSON as a stream and rejects the first token that does not belong there, so
/// that no file can make it build a large tree.
///
///   {"__metadata__": {"key": "value"},
///    "name": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
class HeaderReader : public nlohmann::json::json_sax_t {
 public:
  HeaderReader(const std::string& path, Metadata* metadata, std::vector<StoredTensor>* tensors)
      : path_(path), metadata_(metadata), tensors_(tensors) {}

  bool null() override { reject("null"); }
  bool boolean(bool) override { reject("a boolean"); }
  bool number_integer(number_integer_t) override { reject("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    reject("no whole number of 64 bits");
  }
  bool binary(binary_t&) override { reject("binary"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape) {
      add_axis(value);
    } else if (place_ == Place::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? tensor_.begin : tensor_.end) = value;
    } else if (place_ == Place::offsets) {
      complain("has more than two data_offsets");
    } else {
      reject("a number");
    }
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata) {
      (*metadata_)[key_] = text;
    } else if (place_ == Place::tensor && key_ == "dtype") {
      tensor_.type = type_named(text);
    } else {
      reject("text");
    }
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::start) {
      place_ = Place::top;
    } else if (place_ == Place::top) {
      place_ = key_ == "__metadata__" ? Place::metadata : Place::tensor;
      tensor_ = {key_, {}, {}, 0, 0};
      inner_keys_.clear();
    } else {
      reject("an object");
    }
    return true;
  }

  bool key(string_t& key) override {
    std::set<std::string>& taken = place_ == Place::top ? names_ : inner_keys_;
    if (place_ == Place::tensor && key != "dtype" && key != "shape" && key != "data_offsets") {
      complain(fmt::format("has an unknown field {}", printable(key)));
    }
    if (!taken.insert(key).second) {
      if (place_ == Place::tensor) complain(fmt::format("has two fields {}", printable(key)));
      fail<FileError>("cannot read '{}': its header has two entries {}", path_, printable(key));
    }
    key_ = key;
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) finish_tensor();
    place_ = place_ == Place::top ? Place::start : Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    const bool belongs = place_ == Place::tensor && key_ != "dtype";
    if (!belongs) reject("a list");
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2) complain("has fewer than two data_offsets");
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    fail<FileError>(
        "cannot read '{}': its header is not JSON from byte {} on: another format, or damaged",
        path_, position);
  }

 private:
  enum class Place { start, top, metadata, tensor, shape, offsets };

  [[noreturn]] void complain(const std::string& what) const {
    fail<FileError>("cannot read '{}': tensor {} {}", path_, printable(tensor_.name), what);
  }

  [[noreturn]] void reject(const char* what) const {
    switch (place_) {
      case Place::start:
        fail<FileError>("cannot read '{}': its header is {}, not an object: another format", path_,
                        what);
      case Place::top:
        fail<FileError>("cannot read '{}': its header's entry {} is {}, not an object", path_,
                        printable(key_), what);
      case Place::metadata:
        fail<FileError>("cannot read '{}': its metadata {} is {}, not text", path_, printable(key_),
                        what);
      case Place::tensor:
        complain(fmt::format("has a {} that is {}", key_, what));
      case Place::shape:
        complain(fmt::format("has a size that is {}", what));
      case Place::offsets:
        break;
    }
    complain(fmt::format("has a data offset that is {}", what));
  }

  StoredType type_named(const std::string& text) const {
    for (StoredType type : kTypes) {
      if (text == name(type)) return type;
    }
    complain(fmt::format("has the element type {}; F32, F64, I32, I64 and BOOL can be read",
                         printable(text)));
  }

  void add_axis(std::uint64_t size) {
    if (tensor_.shape.rank() == kMaxRank) complain(fmt::format("has more than {} axes", kMaxRank));
    if (size > INT32_MAX)
      complain(fmt::format("has an axis of {} elements; 2^31 - 1 are supported", size));
    tensor_.shape.push_back(static_cast<Size>(size));
  }

  void finish_tensor() {
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (inner_keys_.count(field) == 0) complain(fmt::format("lacks the field {}", field));
    }
    Size spread = 1;  // elements, with empty axes counted as 1: strides are computed from it
    for (int i = 0; i < tensor_.shape.rank(); ++i) {
      spread *= std::max<Size>(1, tensor_.shape[i]);  // no overflow: both are below 2^31
      if (spread > INT32_MAX) complain("has more than 2^31 - 1 elements");
    }
    if (tensor_.begin > tensor_.end) {
      complain(fmt::format("ends at byte {} before it begins at {}", tensor_.end, tensor_.begin));
    }
    const auto bytes =
        static_cast<std::uint64_t>(tensor_.shape.elements() * bytes_of(tensor_.type));
    if (tensor_.end - tensor_.begin != bytes) {
      complain(fmt::format("of type {} and shape {} needs {} bytes, but its data_offsets span {}",
                           name(tensor_.type), tensor_.shape, bytes, tensor_.end - tensor_.begin));
    }
    tensors_->push_back(tensor_);
  }

  const std::string& path_;
  Metadata* metadata_;
  std::vector<StoredTensor>* tensors_;
  Place place_ = Place::start;
  std::string key_;                           // the last one read
  StoredTensor tensor_;                       // the one being read
  int offsets_ = 0;                           // how many of its offsets have been read
  std::set<std::string> names_, inner_keys_;  // keys of the header and of the entry being read
};

/// Checks what the parser tolerates but the format does not: white space or a byte-order mark
/// before the object, and anything but spaces after it, such as a NUL, at which the parser stops.
void check_ends(const std::string& path, const std::string& text) {
  std::size_t at = text.find('\0');
  if (at == text.npos) at = text.find_first_not_of(' ', text.find_last_of('}') + 1);
  if (text.front() != '{') at = 0;
  if (at == text.npos) return;
  fail<FileError>(
      "cannot read '{}': its header has byte 0x{:02x} at position {}, where only an object and "
      "spaces after it belong",
      path, static_cast<unsigned char>(text[at]), at);
}

/// Checks that every byte of the data belongs to exactly one tensor.
void check_offsets(const std::string& path, const std::vector<StoredTensor>& tensors,
                   std::uint64_t data_bytes) {
  std::uint64_t at = 0;
  const StoredTensor* previous = nullptr;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.end > data_bytes) {
      fail<FileError>(
          "cannot read '{}': tensor {} reaches to byte {} of the data, but the file has {}: "
          "truncated",
          path, printable(tensor.name), tensor.end, data_bytes);
    }
    if (tensor.begin < at) {
      fail<FileError>("cannot read '{}': tensors {} and {} overlap", path,
                      printable(previous->name), printable(tensor.name));
    }
    if (tensor.begin > at) {
      fail<FileError>("cannot read '{}': the {} bytes before tensor {} belong to no tensor", path,
                      tensor.begin - at, printable(tensor.name));
    }
    at = tensor.end;
    previous = &tensor;
  }
  if (at < data_bytes) {
    fail<FileError>("cannot read '{}': the last {} bytes belong to no tensor", path,
                    data_bytes - at);
  }
}

}  // namespace

const char* name(StoredType type) {
  switch (type) {
    case StoredType::f32:
      return "F32";
    case StoredType::f64:
      return "F64";
    case StoredType::i32:
      return "I32";
    case StoredType::i64:
      return "I64";
    case StoredType::boolean:
      break;
  }
  return "BOOL";
}

namespace detail {

std::string printable(const std::string& name) {
  std::size_t length = std::min<std::size_t>(name.size(), 80);
  const auto inside_character = [&] {
    return length < name.size() && (name[length] & 0xC0) == 0x80;
  };
  while (length > 0 && inside_character()) --length;
  std::string text = fmt::format("'{}", name.substr(0, length));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text + (length < name.size() ? "...'" : "'");
}

void parse_safetensors_header(const std::string& path, const std::string& text,
                              std::uint64_t data_bytes, Metadata* metadata,
                              std::vector<StoredTensor>* tensors) {
  HeaderReader reader(path, metadata, tensors);
  nlohmann::json::sax_parse(text, &reader);
  check_ends(path, text);
  std::sort(tensors->begin(), tensors->end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  check_offsets(path, *tensors, data_bytes);
}

}  // namespace detail
}  // namespace hindsight::nn
