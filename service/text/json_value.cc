#include "service/text/json_value.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace taskwatch {
namespace {

// A task has five.
constexpr size_t kUsualMembers = 5;

// Receives what the parser finds (nlohmann's SAX interface, found by name). Builds the tree with a stack of its own;
// the parser keeps one bit per level, so depth costs nothing. nlohmann's own tree is not used because its filter for
// depth takes quadratic time.
class TreeBuilder {
 public:
  bool null() { return Add(JsonValue::Kind::kNull, ""); }
  bool boolean(bool value) { return Add(JsonValue::Kind::kBool, value ? "true" : "false"); }
  bool number_integer(int64_t value) { return Add(JsonValue::Kind::kNumber, absl::StrCat(value)); }
  bool number_unsigned(uint64_t value) { return Add(JsonValue::Kind::kNumber, absl::StrCat(value)); }
  bool number_float(double, const std::string& written) { return Add(JsonValue::Kind::kNumber, written); }
  bool string(std::string& value) { return Add(JsonValue::Kind::kString, std::move(value)); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // JSON texts have none.
  bool start_object(size_t) { return Open(JsonValue::Kind::kObject); }
  bool end_object() { return Close(); }
  bool start_array(size_t) { return Open(JsonValue::Kind::kArray); }
  bool end_array() { return Close(); }

  bool key(std::string& name) {
    name_ = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) {
    error_ = absl::InvalidArgumentError(absl::StrCat("not JSON from byte ", position, " on"));
    return false;
  }

  absl::StatusOr<JsonValue> Finish() && {
    if (!error_.ok()) return error_;
    return std::move(root_);
  }

 private:
  bool Add(JsonValue::Kind kind, std::string text) {
    if (++count_ > kMaxJsonValues) {
      error_ = absl::InvalidArgumentError(absl::StrCat("JSON with more than ", kMaxJsonValues, " values"));
      return false;
    }
    JsonValue value;
    value.kind = kind;
    value.name = std::exchange(name_, {});
    if (depth_ > kMaxJsonDepth) return true;
    value.text = std::move(text);
    if (open_.empty()) {
      root_ = std::move(value);
    } else {
      open_.back()->members.push_back(std::move(value));
    }
    return true;
  }

  bool Open(JsonValue::Kind kind) {
    if (!Add(kind, "")) return false;
    // A value stays in its place while it is open: only the innermost open one grows.
    if (depth_ <= kMaxJsonDepth) {
      open_.push_back(open_.empty() ? &root_ : &open_.back()->members.back());
      if (kind == JsonValue::Kind::kObject) open_.back()->members.reserve(kUsualMembers);
    }
    ++depth_;
    return true;
  }

  bool Close() {
    --depth_;
    if (depth_ <= kMaxJsonDepth) open_.pop_back();
    return true;
  }

  JsonValue root_;
  // The arrays and objects that the parser is in, down to kMaxJsonDepth.
  absl::InlinedVector<JsonValue*, kMaxJsonDepth + 1> open_;
  size_t depth_ = 0;
  size_t count_ = 0;
  std::string name_;
  absl::Status error_;
};

template <typename Matches>
const JsonValue* FindLast(const std::vector<JsonValue>& members, Matches matches) {
  const auto found = std::find_if(members.rbegin(), members.rend(), matches);
  return found == members.rend() ? nullptr : &*found;
}

}  // namespace

const JsonValue* JsonValue::Find(absl::string_view name) const {
  if (kind != Kind::kObject) return nullptr;
  return FindLast(members, [name](const JsonValue& member) { return member.name == name; });
}

const JsonValue* JsonValue::FindIgnoringCase(absl::string_view name) const {
  if (kind != Kind::kObject) return nullptr;
  return FindLast(members, [name](const JsonValue& member) { return absl::EqualsIgnoreCase(member.name, name); });
}

std::optional<int64_t> JsonValue::AsInteger() const {
  if (kind != Kind::kNumber && kind != Kind::kString) return std::nullopt;
  // SimpleAtoi alone would also take spaces and a plus sign.
  const bool starts_as_one = !text.empty() && (absl::ascii_isdigit(text.front()) || text.front() == '-');
  int64_t value = 0;
  if (!starts_as_one || !absl::ascii_isdigit(text.back()) || !absl::SimpleAtoi(text, &value)) return std::nullopt;
  return value;
}

absl::StatusOr<JsonValue> ParseJson(absl::string_view text) {
  // nlohmann takes a NUL for the end of the text and would not see what follows.
  const size_t nul = text.find('\0');
  if (nul != absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON from byte ", nul + 1, " on"));
  }
  TreeBuilder builder;
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return std::move(builder).Finish();
}

}  // namespace taskwatch
