// Converts between the types of service/task and the messages of the public contract.
#ifndef TASKWATCH_SERVICE_RPC_CONVERSION_H_
#define TASKWATCH_SERVICE_RPC_CONVERSION_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/task/task_info.h"

namespace taskwatch {

v1::TaskState ToProto(TaskState state);

// Fills `task`, which must be new.
void FillTaskInfo(const TaskSnapshot& snapshot, v1::TaskInfo& task);

void FillTimestamp(absl::Time time, google::protobuf::Timestamp& timestamp);

// INVALID_ARGUMENT (kInvalidTaskId) if the id is not one of DingTalk's: 1 to 128 of the characters A-Z a-z 0-9 _ -.
absl::Status ValidateTaskId(absl::string_view task_id);

// INVALID_ARGUMENT (kInvalidRequest) if `last_etag` is longer than any etag: what a watcher says it knows is kept as
// long as the watch.
absl::Status ValidateLastEtag(absl::string_view last_etag);

// `duration`, from the request's field `field`; INVALID_ARGUMENT (kInvalidRequest) if it is negative or not a valid
// Duration, {1 s, -1 ns} for example.
absl::StatusOr<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, absl::string_view field);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_CONVERSION_H_
