// Where the state of tasks comes from: the seam between what is decided (tracker) and who is asked (upstream).
#ifndef TASKWATCH_SERVICE_TASK_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_TASK_TASK_SOURCE_H_

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/task/priority.h"
#include "service/task/task_info.h"

namespace taskwatch {

// How much a fetch matters to those who want it.
struct FetchOptions {
  Priority priority = Priority::kCaller;
  // After this the answer is of no use to anybody.
  absl::Time deadline = absl::InfiniteFuture();
};

// Asks for the state of one task. Lives on the event loop's thread, as do its callbacks.
class TaskSource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<TaskInfo>)>;

  virtual ~TaskSource() = default;

  // Makes one attempt to fetch the state of `task_id`, which must be valid (IsValidTaskId). Calls `done` exactly once
  // and never before Fetch returns, unless the source is destroyed first: then not at all. The attempt may have to wait
  // for its turn, but once made it is bounded in time. Errors carry ErrorDetails. Does not retry, except once with a
  // new access token when the old one was rejected.
  virtual void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) = 0;

  // Somebody else wants the fetch of `task_id` that is under way: if it still waits for its turn, the higher priority
  // and the later deadline count from now on. Does nothing if it does not wait.
  virtual void Join(absl::string_view task_id, const FetchOptions& options) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_TASK_SOURCE_H_
