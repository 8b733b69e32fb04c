#include "service/rpc/conversion.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// The range of google.protobuf.Duration.
constexpr int64_t kMaxDurationSeconds = 315'576'000'000;
constexpr int32_t kMaxNanos = 999'999'999;

// As the proto says. Ours have 16 characters, but callers must not have to know.
constexpr size_t kMaxEtagLength = 64;

}  // namespace

v1::TaskState ToProto(TaskState state) {
  switch (state) {
    case TaskState::kWaiting:
      return v1::TASK_STATE_WAITING;
    case TaskState::kRunning:
      return v1::TASK_STATE_RUNNING;
    case TaskState::kSucceeded:
      return v1::TASK_STATE_SUCCEEDED;
    case TaskState::kPartiallyFailed:
      return v1::TASK_STATE_PARTIALLY_FAILED;
    case TaskState::kAllFailed:
      return v1::TASK_STATE_ALL_FAILED;
    case TaskState::kFailed:
      return v1::TASK_STATE_FAILED;
    case TaskState::kUnrecognized:
      return v1::TASK_STATE_UNRECOGNIZED;
  }
  return v1::TASK_STATE_UNRECOGNIZED;
}

void FillTimestamp(absl::Time time, google::protobuf::Timestamp& timestamp) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void FillTaskInfo(const TaskSnapshot& snapshot, v1::TaskInfo& task) {
  const TaskInfo& info = snapshot.info;
  task.set_task_id(info.task_id);
  task.set_state(ToProto(info.state));
  task.set_done(IsDone(info.state));
  if (info.total_count.has_value()) task.set_total_count(*info.total_count);
  if (info.succeeded_count.has_value()) task.set_succeeded_count(*info.succeeded_count);
  if (info.failed_count.has_value()) task.set_failed_count(*info.failed_count);
  if (info.upstream_status.has_value()) task.set_upstream_status(*info.upstream_status);
  task.set_etag(snapshot.etag);
  FillTimestamp(snapshot.observe_time, *task.mutable_observe_time());
  FillTimestamp(snapshot.change_time, *task.mutable_change_time());
}

absl::Status ValidateTaskId(absl::string_view task_id) {
  if (IsValidTaskId(task_id)) return absl::OkStatus();
  ErrorDetails details;
  details.reason = ErrorReason::kInvalidTaskId;
  details.field = "task_id";
  if (task_id.empty()) return MakeError(details, "task_id is empty; give the taskId that DingTalk returned");
  return MakeError(details, absl::StrCat("task_id must have 1 to ", kMaxTaskIdLength,
                                         " of the characters A-Z a-z 0-9 _ -, as DingTalk's taskId does"));
}

absl::Status ValidateLastEtag(absl::string_view last_etag) {
  if (last_etag.size() <= kMaxEtagLength) return absl::OkStatus();
  ErrorDetails details;
  details.reason = ErrorReason::kInvalidRequest;
  details.field = "last_etag";
  return MakeError(details, absl::StrCat("last_etag is longer than the ", kMaxEtagLength,
                                         " characters that an etag may have; pass one that this service has sent"));
}

absl::StatusOr<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, absl::string_view field) {
  const bool valid = duration.seconds() >= 0 && duration.seconds() <= kMaxDurationSeconds && duration.nanos() >= 0 &&
                     duration.nanos() <= kMaxNanos;
  if (valid) return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  ErrorDetails details;
  details.reason = ErrorReason::kInvalidRequest;
  details.field = std::string(field);
  return MakeError(details, absl::StrCat(field, " must be a valid duration of zero or more"));
}

}  // namespace taskwatch
