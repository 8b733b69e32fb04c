// Converts errors to google.rpc.Status with its standard details, and to the status of a gRPC call.
#ifndef TASKWATCH_SERVICE_RPC_STATUS_CONVERSION_H_
#define TASKWATCH_SERVICE_RPC_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

namespace taskwatch {

// `error` with all that its ErrorDetails hold: ErrorInfo always (if there is a reason), and RetryInfo, BadRequest,
// QuotaFailure and RequestInfo where they apply.
google::rpc::Status ToStatusProto(const absl::Status& error);

// The same as the status of a call.
grpc::Status ToGrpcStatus(const absl::Status& error);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_STATUS_CONVERSION_H_
