#include "service/task/task_error.h"

#include <array>
#include <cstddef>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

struct ReasonRow {
  ErrorReason reason;
  absl::string_view name;
  absl::StatusCode code;
};

constexpr std::array<ReasonRow, 18> kReasons = {{
    {ErrorReason::kNone, "", absl::StatusCode::kUnknown},
    {ErrorReason::kInvalidTaskId, "INVALID_TASK_ID", absl::StatusCode::kInvalidArgument},
    {ErrorReason::kInvalidRequest, "INVALID_REQUEST", absl::StatusCode::kInvalidArgument},
    {ErrorReason::kUpstreamParamError, "UPSTREAM_PARAM_ERROR", absl::StatusCode::kInvalidArgument},
    {ErrorReason::kTaskNotFound, "TASK_NOT_FOUND", absl::StatusCode::kNotFound},
    {ErrorReason::kUpstreamSystemError, "UPSTREAM_SYSTEM_ERROR", absl::StatusCode::kInternal},
    {ErrorReason::kUpstreamUnknownError, "UPSTREAM_UNKNOWN_ERROR", absl::StatusCode::kUnknown},
    {ErrorReason::kUpstreamTimeout, "UPSTREAM_TIMEOUT", absl::StatusCode::kUnavailable},
    {ErrorReason::kUpstreamUnavailable, "UPSTREAM_UNAVAILABLE", absl::StatusCode::kUnavailable},
    {ErrorReason::kUpstreamUnauthenticated, "UPSTREAM_UNAUTHENTICATED", absl::StatusCode::kFailedPrecondition},
    {ErrorReason::kUpstreamPermissionDenied, "UPSTREAM_PERMISSION_DENIED", absl::StatusCode::kFailedPrecondition},
    {ErrorReason::kUpstreamRateLimited, "UPSTREAM_RATE_LIMITED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kMonthlyQuotaExhausted, "MONTHLY_QUOTA_EXHAUSTED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kUpstreamIpBanned, "UPSTREAM_IP_BANNED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kUpstreamMalformedResponse, "UPSTREAM_MALFORMED_RESPONSE", absl::StatusCode::kInternal},
    {ErrorReason::kTooManyWatchers, "TOO_MANY_WATCHERS", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kServerDraining, "SERVER_DRAINING", absl::StatusCode::kUnavailable},
    {ErrorReason::kStreamRotated, "STREAM_ROTATED", absl::StatusCode::kUnavailable},
}};

const ReasonRow& RowOf(ErrorReason reason) { return kReasons[static_cast<size_t>(reason)]; }

// One payload for each detail, named by what it is.
constexpr absl::string_view kReasonUrl = "taskwatch/reason";
constexpr absl::string_view kPersistenceUrl = "taskwatch/persistence";
constexpr absl::string_view kRetryAfterUrl = "taskwatch/retry_after";
constexpr absl::string_view kNotAskedUrl = "taskwatch/not_asked";
constexpr absl::string_view kHttpStatusUrl = "taskwatch/http_status";
constexpr absl::string_view kUpstreamCodeUrl = "taskwatch/upstream_code";
constexpr absl::string_view kUpstreamRequestIdUrl = "taskwatch/upstream_request_id";
constexpr absl::string_view kFieldUrl = "taskwatch/field";

std::string Payload(const absl::Status& status, absl::string_view url) {
  return std::string(status.GetPayload(url).value_or(absl::Cord()));
}

// The enum value stored under `url`, if it is one of `count`.
template <typename Enum>
Enum EnumPayload(const absl::Status& status, absl::string_view url, size_t count, Enum fallback) {
  size_t value = 0;
  if (!absl::SimpleAtoi(Payload(status, url), &value) || value >= count) return fallback;
  return static_cast<Enum>(value);
}

}  // namespace

absl::string_view ErrorReasonName(ErrorReason reason) { return RowOf(reason).name; }

absl::StatusCode CodeOf(ErrorReason reason) { return RowOf(reason).code; }

absl::Status MakeError(const ErrorDetails& details, absl::string_view message) {
  absl::Status status(CodeOf(details.reason), message);
  status.SetPayload(kReasonUrl, absl::Cord(absl::StrCat(static_cast<int>(details.reason))));
  status.SetPayload(kPersistenceUrl, absl::Cord(absl::StrCat(static_cast<int>(details.persistence))));
  if (details.retry_after.has_value()) {
    status.SetPayload(kRetryAfterUrl, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(*details.retry_after))));
  }
  if (details.not_asked) status.SetPayload(kNotAskedUrl, absl::Cord("1"));
  if (details.http_status != 0) status.SetPayload(kHttpStatusUrl, absl::Cord(absl::StrCat(details.http_status)));
  if (!details.upstream_code.empty()) status.SetPayload(kUpstreamCodeUrl, absl::Cord(details.upstream_code));
  if (!details.upstream_request_id.empty()) {
    status.SetPayload(kUpstreamRequestIdUrl, absl::Cord(details.upstream_request_id));
  }
  if (!details.field.empty()) status.SetPayload(kFieldUrl, absl::Cord(details.field));
  return status;
}

ErrorDetails DetailsOf(const absl::Status& status) {
  ErrorDetails details;
  details.reason = EnumPayload(status, kReasonUrl, kReasons.size(), ErrorReason::kNone);
  details.persistence = EnumPayload(status, kPersistenceUrl, 3, Persistence::kPermanent);
  int64_t milliseconds = 0;
  if (absl::SimpleAtoi(Payload(status, kRetryAfterUrl), &milliseconds)) {
    details.retry_after = absl::Milliseconds(milliseconds);
  }
  details.not_asked = status.GetPayload(kNotAskedUrl).has_value();
  if (!absl::SimpleAtoi(Payload(status, kHttpStatusUrl), &details.http_status)) details.http_status = 0;
  details.upstream_code = Payload(status, kUpstreamCodeUrl);
  details.upstream_request_id = Payload(status, kUpstreamRequestIdUrl);
  details.field = Payload(status, kFieldUrl);
  return details;
}

}  // namespace taskwatch
