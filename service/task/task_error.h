// Why the state of a task could not be fetched, as details of an absl::Status:
//
//   ErrorDetails details;
//   details.reason = ErrorReason::kUpstreamTimeout;
//   details.persistence = Persistence::kTransient;
//   const absl::Status error = MakeError(details, "DingTalk did not answer in time");  // UNAVAILABLE
//   ...
//   if (DetailsOf(error).persistence == Persistence::kTransient) TryAgain();
//
// `service/rpc` turns the details into google.rpc details for the caller; `service/tracker` decides by them whether to
// try again. They are one payload of the status, so copies carry them, and statuses with the same code, message and
// details are equal. A status without details means what its code says.
#ifndef TASKWATCH_SERVICE_TASK_TASK_ERROR_H_
#define TASKWATCH_SERVICE_TASK_TASK_ERROR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace taskwatch {

// Why a call failed; each has a name in the public contract (proto/taskwatch/v1/task_service.proto).
enum class ErrorReason {
  kNone,
  kInvalidTaskId,
  kInvalidRequest,
  kUpstreamParamError,
  kTaskNotFound,
  kUpstreamSystemError,
  kUpstreamUnknownError,
  kUpstreamTimeout,
  kUpstreamUnavailable,
  kUpstreamUntrusted,
  kUpstreamUnauthenticated,
  kUpstreamPermissionDenied,
  kUpstreamRateLimited,
  kMonthlyQuotaExhausted,
  kPollDeferred,
  kUpstreamIpBanned,
  kUpstreamMalformedResponse,
  kTooManyWatchers,
  kTooManyCalls,
  kServerDraining,
  kStreamRotated,
};

// Whether a later attempt may succeed.
enum class Persistence {
  // The same call will fail the same way until somebody changes something.
  kPermanent,
  // It may work when tried again soon, with backoff.
  kTransient,
  // It will work again, but not before `retry_after`; asking earlier makes it worse.
  kPaused,
  // It is not known whether it passes, as with a refusal that no documentation mentions: kTransient the first time, and
  // kPermanent if the next attempt fails alike (FailAlike).
  kDoubtful,
};

struct ErrorDetails {
  ErrorReason reason = ErrorReason::kNone;
  Persistence persistence = Persistence::kPermanent;
  // Trying again sooner is of no use. Carried in whole milliseconds, rounded down.
  std::optional<absl::Duration> retry_after;
  // Set if no call to the upstream was made (the month's quota is used up, say). The error then tells nothing about the
  // upstream's health.
  bool not_asked = false;
  // From the upstream's answer; 0 and empty if there was none.
  int http_status = 0;
  std::string upstream_code;
  std::string upstream_request_id;
  // The request field that is wrong ("task_id"), for kInvalidTaskId and kInvalidRequest.
  std::string field;
  // For the log alone: what happened in terms of this server, and what to do about it ("check --dingtalk_ca_file").
  // Callers are never told, as it may name hosts, flags, files and environment variables.
  std::string log_detail;
};

// The reason's name in the public contract: "TASK_NOT_FOUND"; empty for kNone.
absl::string_view ErrorReasonName(ErrorReason reason);

// The status code that the public contract gives a reason.
absl::StatusCode CodeOf(ErrorReason reason);

// A status with the code of `details.reason` and with `details`. `message` tells callers what happened, and names
// nothing of this server's: see `log_detail`.
absl::Status MakeError(const ErrorDetails& details, absl::string_view message);

// The details of `status`; the defaults if it has none.
ErrorDetails DetailsOf(const absl::Status& status);

// Whether two errors have the same reason, HTTP status and upstream code.
bool FailAlike(const absl::Status& a, const absl::Status& b);

// DetailsOf(status).reason, without copying the rest.
ErrorReason ReasonOf(const absl::Status& status);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_TASK_ERROR_H_
