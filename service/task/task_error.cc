#include "service/task/task_error.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

struct ReasonRow {
  ErrorReason reason;
  absl::string_view name;
  absl::StatusCode code;
};

constexpr std::array<ReasonRow, 21> kReasons = {{
    {ErrorReason::kNone, "", absl::StatusCode::kUnknown},
    {ErrorReason::kInvalidTaskId, "INVALID_TASK_ID", absl::StatusCode::kInvalidArgument},
    {ErrorReason::kInvalidRequest, "INVALID_REQUEST", absl::StatusCode::kInvalidArgument},
    {ErrorReason::kUpstreamParamError, "UPSTREAM_PARAM_ERROR", absl::StatusCode::kInvalidArgument},
    {ErrorReason::kTaskNotFound, "TASK_NOT_FOUND", absl::StatusCode::kNotFound},
    {ErrorReason::kUpstreamSystemError, "UPSTREAM_SYSTEM_ERROR", absl::StatusCode::kInternal},
    {ErrorReason::kUpstreamUnknownError, "UPSTREAM_UNKNOWN_ERROR", absl::StatusCode::kUnknown},
    {ErrorReason::kUpstreamTimeout, "UPSTREAM_TIMEOUT", absl::StatusCode::kUnavailable},
    {ErrorReason::kUpstreamUnavailable, "UPSTREAM_UNAVAILABLE", absl::StatusCode::kUnavailable},
    {ErrorReason::kUpstreamUntrusted, "UPSTREAM_UNTRUSTED", absl::StatusCode::kUnavailable},
    {ErrorReason::kUpstreamUnauthenticated, "UPSTREAM_UNAUTHENTICATED", absl::StatusCode::kFailedPrecondition},
    {ErrorReason::kUpstreamPermissionDenied, "UPSTREAM_PERMISSION_DENIED", absl::StatusCode::kFailedPrecondition},
    {ErrorReason::kUpstreamRateLimited, "UPSTREAM_RATE_LIMITED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kMonthlyQuotaExhausted, "MONTHLY_QUOTA_EXHAUSTED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kPollDeferred, "POLL_DEFERRED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kUpstreamIpBanned, "UPSTREAM_IP_BANNED", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kUpstreamMalformedResponse, "UPSTREAM_MALFORMED_RESPONSE", absl::StatusCode::kInternal},
    {ErrorReason::kTooManyWatchers, "TOO_MANY_WATCHERS", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kTooManyCalls, "TOO_MANY_CALLS", absl::StatusCode::kResourceExhausted},
    {ErrorReason::kServerDraining, "SERVER_DRAINING", absl::StatusCode::kUnavailable},
    {ErrorReason::kStreamRotated, "STREAM_ROTATED", absl::StatusCode::kUnavailable},
}};

const ReasonRow& RowOf(ErrorReason reason) { return kReasons[static_cast<size_t>(reason)]; }

constexpr absl::string_view kPayloadUrl = "taskwatch/error";

// What the payload begins with; the four texts follow, one after the other. Without padding, so
// that equal details are equal bytes, and so equal statuses.
struct Header {
  int64_t retry_after_ms = 0;
  int32_t http_status = 0;
  uint32_t upstream_code_size = 0;
  uint32_t upstream_request_id_size = 0;
  uint32_t field_size = 0;
  uint32_t log_detail_size = 0;
  uint8_t reason = 0;
  uint8_t persistence = 0;
  uint8_t has_retry_after = 0;
  uint8_t not_asked = 0;
};
static_assert(std::has_unique_object_representations_v<Header>);

std::string Encode(const ErrorDetails& details) {
  Header header;
  if (details.retry_after.has_value()) header.retry_after_ms = absl::ToInt64Milliseconds(*details.retry_after);
  header.http_status = details.http_status;
  header.upstream_code_size = static_cast<uint32_t>(details.upstream_code.size());
  header.upstream_request_id_size = static_cast<uint32_t>(details.upstream_request_id.size());
  header.field_size = static_cast<uint32_t>(details.field.size());
  header.log_detail_size = static_cast<uint32_t>(details.log_detail.size());
  header.reason = static_cast<uint8_t>(details.reason);
  header.persistence = static_cast<uint8_t>(details.persistence);
  header.has_retry_after = details.retry_after.has_value() ? 1 : 0;
  header.not_asked = details.not_asked ? 1 : 0;
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&header), sizeof(header)), details.upstream_code,
                      details.upstream_request_id, details.field, details.log_detail);
}

// Takes the header from `record`, which is left with the texts; none if Encode has not made it.
std::optional<Header> TakeHeader(absl::string_view& record) {
  Header header;
  if (record.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, record.data(), sizeof(header));
  record.remove_prefix(sizeof(header));
  const uint64_t text_size = uint64_t{header.upstream_code_size} + header.upstream_request_id_size + header.field_size +
                             header.log_detail_size;
  const bool valid = header.reason < kReasons.size() &&
                     header.persistence <= static_cast<uint8_t>(Persistence::kDoubtful) && text_size == record.size();
  return valid ? std::optional<Header>(header) : std::nullopt;
}

}  // namespace

absl::string_view ErrorReasonName(ErrorReason reason) { return RowOf(reason).name; }

absl::StatusCode CodeOf(ErrorReason reason) { return RowOf(reason).code; }

absl::Status MakeError(const ErrorDetails& details, absl::string_view message) {
  absl::Status status(CodeOf(details.reason), message);
  status.SetPayload(kPayloadUrl, absl::Cord(Encode(details)));
  return status;
}

ErrorDetails DetailsOf(const absl::Status& status) {
  ErrorDetails details;
  auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return details;
  absl::string_view texts = payload->Flatten();
  const std::optional<Header> header = TakeHeader(texts);
  if (!header.has_value()) return details;
  details.reason = static_cast<ErrorReason>(header->reason);
  details.persistence = static_cast<Persistence>(header->persistence);
  if (header->has_retry_after != 0) details.retry_after = absl::Milliseconds(header->retry_after_ms);
  details.not_asked = header->not_asked != 0;
  details.http_status = header->http_status;
  const auto take = [&texts](uint32_t size) {
    const absl::string_view text = texts.substr(0, size);
    texts.remove_prefix(size);
    return std::string(text);
  };
  details.upstream_code = take(header->upstream_code_size);
  details.upstream_request_id = take(header->upstream_request_id_size);
  details.field = take(header->field_size);
  details.log_detail = take(header->log_detail_size);
  return details;
}

bool FailAlike(const absl::Status& a, const absl::Status& b) {
  const ErrorDetails of_a = DetailsOf(a);
  const ErrorDetails of_b = DetailsOf(b);
  return of_a.reason == of_b.reason && of_a.http_status == of_b.http_status && of_a.upstream_code == of_b.upstream_code;
}

ErrorReason ReasonOf(const absl::Status& status) {
  auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return ErrorReason::kNone;
  absl::string_view record = payload->Flatten();
  const std::optional<Header> header = TakeHeader(record);
  return header.has_value() ? static_cast<ErrorReason>(header->reason) : ErrorReason::kNone;
}

}  // namespace taskwatch
