// The vocabulary of failure: why a task's state could not be had, carried by absl::Status through every room.
//
// A failure is an absl::Status whose payloads hold an ErrorDetails. The rpc room turns it into google.rpc details; the
// tracker reads from it whether trying again makes sense. Statuses without details are allowed and mean what their code
// says.
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
  kUpstreamUnauthenticated,
  kUpstreamPermissionDenied,
  kUpstreamRateLimited,
  kMonthlyQuotaExhausted,
  kUpstreamIpBanned,
  kUpstreamMalformedResponse,
  kTooManyWatchers,
  kServerDraining,
  kStreamRotated,
};

// What a later attempt can hope for.
enum class Persistence {
  // The same call will fail the same way until somebody changes something.
  kPermanent,
  // It may work when tried again soon, with backoff.
  kTransient,
  // It will work again, but not before `retry_after`; asking earlier makes it worse.
  kPaused,
};

struct ErrorDetails {
  ErrorReason reason = ErrorReason::kNone;
  Persistence persistence = Persistence::kPermanent;
  // Not to be tried again sooner.
  std::optional<absl::Duration> retry_after;
  // Decided here: the upstream was not asked, so this tells nothing of how it is.
  bool not_asked = false;
  // As the upstream answered; 0 and empty if it did not.
  int http_status = 0;
  std::string upstream_code;
  std::string upstream_request_id;
  // The request field that is wrong, for kInvalidTaskId and kInvalidRequest.
  std::string field;
};

// The reason's name in the public contract: "TASK_NOT_FOUND"; empty for kNone.
absl::string_view ErrorReasonName(ErrorReason reason);

// The status code that the public contract gives a reason.
absl::StatusCode CodeOf(ErrorReason reason);

// A status with the code of `details.reason` that carries `details`. `message` is for people: what happened, what to
// do.
absl::Status MakeError(const ErrorDetails& details, absl::string_view message);

// The details that `status` carries; the defaults for what it does not.
ErrorDetails DetailsOf(const absl::Status& status);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_TASK_ERROR_H_
