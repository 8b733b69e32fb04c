// Errors of calls as absl::Status, and what their google.rpc details say.
//
//   const auto task = tasks.Get("abcd");
//   if (ErrorReasonOf(task.status()) == "UPSTREAM_RATE_LIMITED") again_after = RetryDelayOf(task.status());
#ifndef TASKWATCH_CLIENT_RPC_STATUS_H_
#define TASKWATCH_CLIENT_RPC_STATUS_H_

#if __cplusplus < 201703L
#error "Taskwatch's client needs C++17: give the target that includes it copts = ['-std=c++17'] (docs/cpp-client.md)"
#endif

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/rpc/status.pb.h"

namespace taskwatch::client {

// Code and message as they are, and each google.rpc detail as a payload under its type URL. Details that cannot be
// parsed are left out.
absl::Status FromGrpcStatus(const grpc::Status& status);
absl::Status FromRpcStatus(const google::rpc::Status& status);

// One of the reasons in task_service.proto, like "TASK_NOT_FOUND". Empty if the error is not the service's own, but
// comes from the connection, from a proxy or from gRPC.
std::string ErrorReasonOf(const absl::Status& status);

// The metadata `key` of task_service.proto ("http_status", "upstream_code" or "upstream_request_id"), or empty.
std::string ErrorMetadataOf(const absl::Status& status, const std::string& key);

// The delay that the service asks for before the next try, if it does.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// The id by which DingTalk's support finds the call that failed, or empty.
std::string UpstreamRequestIdOf(const absl::Status& status);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_RPC_STATUS_H_
