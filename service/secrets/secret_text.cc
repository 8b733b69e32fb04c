#include "service/secrets/secret_text.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {

bool IsSecretText(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxSecretLength &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isgraph(c); });
}

absl::StatusOr<std::string> TrimSecret(absl::string_view text, absl::string_view origin) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  if (IsSecretText(trimmed)) return std::string(trimmed);
  if (trimmed.empty()) return absl::InvalidArgumentError(absl::StrCat(origin, " is empty: put the secret there"));
  if (trimmed.size() > kMaxSecretLength) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, " holds more than ", kMaxSecretLength, " bytes: put the secret there, and nothing else"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      origin, " holds spaces, line breaks or characters that are not ASCII: put the secret there, and nothing else"));
}

}  // namespace taskwatch
