// One wait from its first WaitTask call to its end, without the calls.
#ifndef TASKWATCH_CLIENT_INTERNAL_WAIT_RUN_H_
#define TASKWATCH_CLIENT_INTERNAL_WAIT_RUN_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/watch_observer.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/internal/resume_policy.h"

namespace taskwatch::client {

// The service holds one WaitTask call for 60 s at most: a longer wait is a row of them. Knows no clock and no gRPC. Not
// thread-safe.
class WaitRun {
 public:
  // Gives up when it is `stop`. TaskClient::Wait says what `observer` is told.
  WaitRun(std::string task_id, absl::Time stop, ResumePolicy policy, WatchObserver observer = {});

  // The next call, made at `now`, and how long it may take: if no answer comes in that time, the connection is dead.
  v1::WaitTaskRequest NextRequest(absl::Time now);
  absl::Duration call_timeout() const;

  // Its answer, or the end of the call without one, came over a connection.
  void OnContact() { policy_.OnContact(); }

  // Its answer. Returns how long to pause before the next call, or nothing if the wait is over; then `result` tells
  // with what: a task that is done, one that is not when it was time to stop, or an error that is permanent or was
  // there when it was time to stop.
  std::optional<absl::Duration> OnAnswer(const absl::Status& status, const v1::WaitTaskResponse& answer,
                                         absl::Time now);

  const absl::StatusOr<v1::TaskInfo>& result() const { return result_; }

 private:
  const std::string task_id_;
  const absl::Time stop_;
  ResumePolicy policy_;
  const WatchObserver observer_;
  // The state told last.
  std::string told_etag_;
  absl::Time asked_at_;
  absl::Duration timeout_;
  absl::StatusOr<v1::TaskInfo> result_ = absl::UnknownError("the wait is not over");
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_WAIT_RUN_H_
