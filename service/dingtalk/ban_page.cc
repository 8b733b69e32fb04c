#include "service/dingtalk/ban_page.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"

namespace taskwatch {
namespace {

constexpr int64_t kPunishmentStatus = 1111;

}  // namespace

bool IsPunishment(const JsonValue& answer) {
  const JsonValue* punish = answer.FindIgnoringCase("punish");
  if (punish != nullptr && punish->kind != JsonValue::Kind::kNull) return true;
  const JsonValue* status = answer.FindIgnoringCase("status");
  return status != nullptr && status->AsInteger() == kPunishmentStatus;
}

bool IsWebPage(absl::string_view body) {
  absl::ConsumePrefix(&body, "\xef\xbb\xbf");
  body = absl::StripLeadingAsciiWhitespace(body);
  if (!absl::StartsWith(body, "<")) return false;
  // XML is no page, unless it is XHTML.
  return !absl::StartsWithIgnoreCase(body, "<?xml") || absl::StrContains(absl::AsciiStrToLower(body), "<html");
}

}  // namespace taskwatch
