// A JSON text as far as DingTalk's small answers need it, safe to read from anybody.
#ifndef TASKWATCH_SERVICE_TEXT_JSON_VALUE_H_
#define TASKWATCH_SERVICE_TEXT_JSON_VALUE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace taskwatch {

// One value, and those in it down to kMaxJsonDepth: bounded, so that copying or destroying one never overflows the
// stack.
struct JsonValue {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  // Its name in the object that it is a member of; empty for the elements of an array and for the whole.
  std::string name;
  // A number in decimal (as written, where it is not an integer of 64 bits), a string decoded, "true" or "false".
  std::string text;
  // What an array or an object holds, in order, duplicate names included. Empty below kMaxJsonDepth.
  std::vector<JsonValue> members;

  // The member called `name`, or null. Of duplicates the last counts, as in the parsers that DingTalk's SDKs use.
  const JsonValue* Find(absl::string_view name) const;

  // The same for members that may also be capitalised.
  const JsonValue* FindIgnoringCase(absl::string_view name) const;

  // The value of a whole number, or of a string that is nothing but one in decimal, if it fits.
  std::optional<int64_t> AsInteger() const;
};

// How deep values are kept: enough for {"accessdenieddetail":{"requiredScopes":["..."]}}.
inline constexpr size_t kMaxJsonDepth = 4;

// How many values are accepted: far more than any answer of DingTalk's has, and little memory.
inline constexpr size_t kMaxJsonValues = 1000;

// Reads all of `text`. Never throws. The error is INVALID_ARGUMENT, tells where the text is not JSON (invalid UTF-8
// included) and quotes nothing of it, as answers hold tokens.
absl::StatusOr<JsonValue> ParseJson(absl::string_view text);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TEXT_JSON_VALUE_H_
