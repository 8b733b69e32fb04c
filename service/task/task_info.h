// The vocabulary: what is known of a document task. No proto, no JSON, no transport.
#ifndef TASKWATCH_SERVICE_TASK_TASK_INFO_H_
#define TASKWATCH_SERVICE_TASK_TASK_INFO_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace taskwatch {

// What has become of a task.
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

// The content of one answer of DingTalk's about one task. Counts are passed on as they came: DingTalk's own example has
// a partial failure in which nothing failed.
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

// What was seen of a task, and when. Immutable once shared, so that any thread may read it.
struct TaskSnapshot {
  TaskInfo info;
  std::string etag;
  // When DingTalk last confirmed this content.
  absl::Time observe_time;
  // When this content was first seen.
  absl::Time change_time;
  // When anything was first seen of the task.
  absl::Time first_observe_time;
};

using TaskSnapshotPtr = std::shared_ptr<const TaskSnapshot>;

// The longest task id that is accepted, in characters.
inline constexpr size_t kMaxTaskIdLength = 128;

// Whether `task_id` is of the form [A-Za-z0-9_-]{1,128}: nothing in it can leave its place in a URL's path.
bool IsValidTaskId(absl::string_view task_id);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_TASK_INFO_H_
