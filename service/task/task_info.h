// The state of a document task, as every room sees it. Knows neither proto nor JSON.
#ifndef TASKWATCH_SERVICE_TASK_TASK_INFO_H_
#define TASKWATCH_SERVICE_TASK_TASK_INFO_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace taskwatch {

// The state of a task.
enum class TaskState {
  kWaiting,
  kRunning,
  kSucceeded,
  kPartiallyFailed,
  kAllFailed,
  kFailed,
  // A status that this version does not know. Not done: DingTalk may add intermediate states.
  kUnrecognized,
};

// Whether a task in `state` has ended. An ended task never changes again.
bool IsDone(TaskState state);

// "RUNNING", for logs and messages.
absl::string_view TaskStateName(TaskState state);

// What one answer of DingTalk's says about one task. Counts are passed on as they came, without a check that they add
// up: the example in DingTalk's documentation has a partial failure with no failed item.
struct TaskInfo {
  std::string task_id;
  TaskState state = TaskState::kUnrecognized;
  std::optional<int32_t> upstream_status;
  std::optional<int64_t> total_count;
  std::optional<int64_t> succeeded_count;
  std::optional<int64_t> failed_count;
};

bool operator==(const TaskInfo& a, const TaskInfo& b);
inline bool operator!=(const TaskInfo& a, const TaskInfo& b) { return !(a == b); }

// Identifies the content of `info`: equal content, equal etag, in every process and version. Letters and digits only.
std::string EtagOf(const TaskInfo& info);

// A task's state with the times at which it was observed. Immutable once shared, so that any thread may read it.
struct TaskSnapshot {
  TaskInfo info;
  std::string etag;
  // When DingTalk last confirmed this content.
  absl::Time observe_time;
  // When this content was first seen.
  absl::Time change_time;
  // When any state of the task was first seen.
  absl::Time first_observe_time;
};

using TaskSnapshotPtr = std::shared_ptr<const TaskSnapshot>;

// The longest task id that is accepted, in characters.
inline constexpr size_t kMaxTaskIdLength = 128;

// Whether `task_id` is of the form [A-Za-z0-9_-]{1,128}. Such an id can be put into a URL's path as it is: it holds no
// '/', no '.' and no '%'.
bool IsValidTaskId(absl::string_view task_id);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_TASK_INFO_H_
