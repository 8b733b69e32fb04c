// Where the tracker fetches the state of tasks from. `service/dingtalk` implements it with DingTalk's API.
#ifndef TASKWATCH_SERVICE_TASK_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_TASK_TASK_SOURCE_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/task/priority.h"
#include "service/task/task_info.h"

namespace taskwatch {

// How urgent a fetch is.
struct FetchOptions {
  Priority priority = Priority::kCaller;
  // After this time the answer is of no use.
  absl::Time deadline = absl::InfiniteFuture();
};

// Asks for the state of one task. Lives on the event loop's thread, as do its callbacks.
class TaskSource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<TaskInfo>)>;

  virtual ~TaskSource() = default;

  // Makes one attempt to fetch the state of `task_id`, which must be valid (IsValidTaskId). Calls `done` exactly once,
  // never before Fetch returns; not at all if the source is destroyed first. The attempt may have to wait for its turn;
  // once made, it takes a bounded time. Errors carry ErrorDetails. Does not retry, except once with a new access token
  // when the old one was rejected.
  virtual void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) = 0;

  // Lets another request join the fetch of `task_id` that is in flight: if that still waits for its turn, it takes the
  // higher of the two priorities and the later of the two deadlines, and Join returns true: the upstream will be asked
  // after this. Otherwise does nothing and returns false.
  virtual bool Join(absl::string_view task_id, const FetchOptions& options) = 0;

  // Nobody wants the fetch of `task_id` that is in flight any more. If it still waits for its turn, it is given up: its
  // `done` is destroyed without being called, nothing has been spent, and Cancel returns true. Otherwise it goes on,
  // since it has been paid for, and Cancel returns false.
  virtual bool Cancel(absl::string_view task_id) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_TASK_SOURCE_H_
