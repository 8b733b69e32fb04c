// Errors as the service makes them, for the client's tests.
#ifndef TASKWATCH_TESTS_CLIENT_ERRORS_H_
#define TASKWATCH_TESTS_CLIENT_ERRORS_H_

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace taskwatch::client {

inline grpc::Status ServiceError(grpc::StatusCode code, const std::string& reason,
                                 std::optional<absl::Duration> retry_delay = std::nullopt) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message("said the service");
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("taskwatch");
  (*info.mutable_metadata())["upstream_request_id"] = "request-7";
  status.add_details()->PackFrom(info);
  if (retry_delay.has_value()) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(*retry_delay));
    status.add_details()->PackFrom(retry);
  }
  return grpc::Status(code, status.message(), status.SerializeAsString());
}

}  // namespace taskwatch::client

#endif  // TASKWATCH_TESTS_CLIENT_ERRORS_H_
