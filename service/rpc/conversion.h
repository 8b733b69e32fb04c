// Between the vocabulary and the public contract's messages.
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

// OK, or INVALID_ARGUMENT with what is wrong with the id.
absl::Status ValidateTaskId(absl::string_view task_id);

// The duration of the request's field `field`, or INVALID_ARGUMENT if it is negative or not a valid Duration.
absl::StatusOr<absl::Duration> ReadDuration(const google::protobuf::Duration& duration, absl::string_view field);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_CONVERSION_H_
