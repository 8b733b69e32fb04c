// Times and durations between Abseil and protobuf.
#ifndef TASKWATCH_CLIENT_INTERNAL_PROTO_TIME_H_
#define TASKWATCH_CLIENT_INTERNAL_PROTO_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace taskwatch::client {

absl::Time FromProto(const google::protobuf::Timestamp& timestamp);

// Clamped to what google.protobuf.Duration can hold.
google::protobuf::Duration ToProto(absl::Duration duration);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_PROTO_TIME_H_
