#include "service/dingtalk/error_table.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"

#include "service/dingtalk/ban_page.h"
#include "service/task/task_error.h"
#include "service/text/json_value.h"
#include "service/text/printable_text.h"

namespace taskwatch {
namespace {

// The permission that the task call needs, by its API page.
constexpr absl::string_view kTaskScope = "SNS.Document.WorkspaceDocument.Read";

constexpr absl::Duration kMinRetryAfter = absl::Seconds(1);
constexpr absl::Duration kMaxRetryAfter = absl::Minutes(5);

constexpr size_t kMaxMessage = 200;
constexpr size_t kMaxIdentifier = 100;
constexpr size_t kMaxScopes = 5;

// What stands for the scopes in a row's message.
constexpr absl::string_view kScopes = "$scopes";

enum class Match { kAnyCode, kIs, kStartsWith, kContains };

struct Verdict {
  ErrorReason reason;
  Persistence persistence;
  std::optional<absl::Duration> retry_after;
  // For callers: what happened, and what the app lacks in DingTalk's console.
  absl::string_view message;
  // For the log, may be empty: what to look at here.
  absl::string_view log_detail = "";
};

struct Pattern {
  int first_status;
  int last_status;
  Match match;
  // Lower case; codes are compared without regard to case.
  absl::string_view code;
};

struct Row {
  Pattern pattern;
  Verdict verdict;
};

constexpr std::optional<absl::Duration> kUnset = std::nullopt;
constexpr std::optional<absl::Duration> kSoon = absl::Seconds(1);

constexpr Verdict kBanned = {ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300),
                             "DingTalk's gateway has banned this server's address, as after 10,000 calls in 20 s",
                             "unless --dingtalk_base_url does not lead to DingTalk"};

// The first row that fits counts: codes that are sure of themselves, then statuses.
constexpr Row kRows[] = {
    {{400, 599, Match::kContains, "qpslimit"},
     {ErrorReason::kUpstreamRateLimited, Persistence::kTransient, kSoon, "over DingTalk's rate of calls per second"}},
    {{400, 599, Match::kContains, "qpmlimit"},
     {ErrorReason::kUpstreamRateLimited, Persistence::kPaused, absl::Seconds(60),
      "over DingTalk's rate of calls per minute"}},
    {{400, 599, Match::kContains, "apicountlimit"},
     {ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, kUnset,
      "the organisation's calls to DingTalk are used up until the next month begins in China"}},
    {{400, 599, Match::kContains, "accesstokenpermissiondenied"},
     {ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, kUnset,
      "grant the app the permission $scopes in DingTalk's developer console"}},
    {{400, 599, Match::kContains, "ipnotinwhitelist"},
     {ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, kUnset,
      "the address that this service calls from must be allowed: add it to the app's server egress IPs in DingTalk's "
      "developer console (the app also needs the permission $scopes)"}},
    {{400, 599, Match::kStartsWith, "forbidden."},
     {ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, kUnset,
      "DingTalk refuses this app; it needs the permission $scopes"}},
    {{400, 599, Match::kIs, "system.busy"},
     {ErrorReason::kUpstreamUnavailable, Persistence::kTransient, kSoon, "DingTalk is busy"}},
    {{400, 599, Match::kIs, "systembusy"},
     {ErrorReason::kUpstreamUnavailable, Persistence::kTransient, kSoon, "DingTalk is busy"}},
    {{400, 403, Match::kIs, "invalidauthentication"},
     {ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, kUnset, "DingTalk rejected the access token"}},
    {{400, 400, Match::kIs, "paramerror"},
     {ErrorReason::kUpstreamParamError, Persistence::kPermanent, kUnset, "DingTalk does not take this task id"}},
    {{500, 500, Match::kIs, "unknownerror"},
     {ErrorReason::kUpstreamUnknownError, Persistence::kTransient, kUnset,
      "DingTalk failed for a reason that it does not know"}},
    {{503, 503, Match::kIs, "operationtimeout"},
     {ErrorReason::kUpstreamTimeout, Persistence::kTransient, kSoon, "DingTalk did not finish in time"}},

    {{300, 399, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamUnavailable, Persistence::kTransient, kSoon,
      "redirects are not followed, as they would carry the access token elsewhere", "check --dingtalk_base_url"}},
    {{401, 401, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamUnauthenticated, Persistence::kPermanent, kUnset, "DingTalk rejected the access token"}},
    {{403, 403, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, kUnset,
      "DingTalk refuses this app; it needs the permission $scopes"}},
    {{404, 404, Match::kAnyCode, ""},
     {ErrorReason::kTaskNotFound, Persistence::kPermanent, kUnset, "DingTalk knows no such task"}},
    {{408, 408, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamTimeout, Persistence::kTransient, kSoon, "DingTalk did not get the call in time"}},
    {{425, 425, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamUnavailable, Persistence::kTransient, kSoon, "DingTalk wants to get the call once more"}},
    {{429, 429, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamRateLimited, Persistence::kTransient, kSoon, "over DingTalk's rate of calls"}},
    {{400, 499, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful, kUnset, "DingTalk refused the call"}},
    {{502, 503, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamUnavailable, Persistence::kTransient, kSoon, "DingTalk is not available"}},
    {{504, 504, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamTimeout, Persistence::kTransient, kSoon, "DingTalk did not answer its gateway in time"}},
    {{500, 599, Match::kAnyCode, ""},
     {ErrorReason::kUpstreamSystemError, Persistence::kTransient, kUnset, "DingTalk failed"}},
};

constexpr Verdict kMalformed = {ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient, kUnset,
                                "DingTalk's answer has a status that means nothing here"};

bool Matches(const Pattern& pattern, int status, absl::string_view lower_code) {
  if (status < pattern.first_status || pattern.last_status < status) return false;
  switch (pattern.match) {
    case Match::kAnyCode:
      return true;
    case Match::kIs:
      return lower_code == pattern.code;
    case Match::kStartsWith:
      return absl::StartsWith(lower_code, pattern.code);
    case Match::kContains:
      return absl::StrContains(lower_code, pattern.code);
  }
  return false;
}

// What a refusal says of itself; all empty if it is not JSON.
struct Refusal {
  bool punishment = false;
  std::string code;
  std::string message;
  std::string request_id;
  std::vector<std::string> scopes;
};

std::string TextOf(const JsonValue* value, absl::string_view secret, size_t max_bytes) {
  return value == nullptr ? "" : PrintableExcerpt(value->text, max_bytes, secret);
}

Refusal ReadRefusal(absl::string_view body, absl::string_view secret) {
  Refusal refusal;
  const absl::StatusOr<JsonValue> json = ParseJson(body);
  if (!json.ok()) return refusal;
  refusal.punishment = IsPunishment(*json);
  refusal.code = TextOf(json->FindIgnoringCase("code"), secret, kMaxIdentifier);
  refusal.message = TextOf(json->FindIgnoringCase("message"), secret, kMaxMessage);
  refusal.request_id = TextOf(json->FindIgnoringCase("requestid"), secret, kMaxIdentifier);
  const JsonValue* denied = json->FindIgnoringCase("accessdenieddetail");
  const JsonValue* scopes = denied == nullptr ? nullptr : denied->FindIgnoringCase("requiredScopes");
  if (scopes != nullptr) {
    for (const JsonValue& scope : scopes->members) {
      if (refusal.scopes.size() < kMaxScopes)
        refusal.scopes.push_back(PrintableExcerpt(scope.text, kMaxIdentifier, secret));
    }
  }
  return refusal;
}

bool IsBan(const HttpResponse& response, const Refusal& refusal) {
  const bool of_a_slow_network = response.status == 408 || response.status == 425;
  const bool page_means_ban =
      response.status == 200 || (400 <= response.status && response.status <= 499 && !of_a_slow_network);
  return refusal.punishment || (page_means_ban && IsWebPage(response.body));
}

const Verdict& VerdictOn(int status, absl::string_view code) {
  const std::string lower_code = absl::AsciiStrToLower(code);
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const Row& candidate) { return Matches(candidate.pattern, status, lower_code); });
  return row == std::end(kRows) ? kMalformed : row->verdict;
}

absl::string_view RequestIdOf(const HttpResponse& response) { return response.Header(kErrorHeaders[0]); }

// The answer's Retry-After, in its form of whole seconds; zero if there is none.
absl::Duration RetryAfterOf(const HttpResponse& response) {
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(response.Header(kErrorHeaders[1]), &seconds)) return absl::ZeroDuration();
  return absl::Seconds(seconds);
}

std::optional<absl::Duration> RetryAfter(const Verdict& verdict, absl::Duration answered) {
  // Nothing brings a used-up month back early, and what is permanent does not pass.
  const bool month_is_used_up = verdict.reason == ErrorReason::kMonthlyQuotaExhausted;
  if (verdict.persistence == Persistence::kPermanent || month_is_used_up) return kUnset;
  if (answered <= absl::ZeroDuration()) return verdict.retry_after;
  return std::clamp(answered, kMinRetryAfter, kMaxRetryAfter);
}

std::string MessageOf(const Verdict& verdict, int http_status, const Refusal& refusal) {
  const std::string scopes = refusal.scopes.empty() ? std::string(kTaskScope) : absl::StrJoin(refusal.scopes, ", ");
  std::string message = absl::StrCat(absl::StrReplaceAll(verdict.message, {{kScopes, scopes}}), " (HTTP ", http_status);
  if (!refusal.code.empty()) absl::StrAppend(&message, ", ", refusal.code);
  if (!refusal.message.empty()) absl::StrAppend(&message, ": \"", refusal.message, "\"");
  message += ')';
  return message;
}

}  // namespace

absl::Status ErrorOf(const HttpResponse& response, absl::string_view secret) {
  Refusal refusal = ReadRefusal(response.body, secret);
  const bool banned = IsBan(response, refusal);
  if (response.status == 200 && !banned) return absl::OkStatus();
  const Verdict& verdict = banned ? kBanned : VerdictOn(response.status, refusal.code);

  ErrorDetails details;
  details.reason = verdict.reason;
  details.persistence = verdict.persistence;
  details.retry_after = RetryAfter(verdict, RetryAfterOf(response));
  details.http_status = response.status;
  details.log_detail = std::string(verdict.log_detail);
  const std::string message = MessageOf(verdict, response.status, refusal);
  details.upstream_code = std::move(refusal.code);
  details.upstream_request_id = refusal.request_id.empty()
                                    ? PrintableExcerpt(RequestIdOf(response), kMaxIdentifier, secret)
                                    : std::move(refusal.request_id);
  return MakeError(details, message);
}

absl::Status WithOrigin(const absl::Status& error, const HttpResponse& response, absl::string_view secret) {
  ErrorDetails details = DetailsOf(error);
  details.http_status = response.status;
  details.upstream_request_id = PrintableExcerpt(RequestIdOf(response), kMaxIdentifier, secret);
  return MakeError(details, error.message());
}

}  // namespace taskwatch
