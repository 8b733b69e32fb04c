#include "service/rpc/call_environment.h"

#include <chrono>

#include "service/task/task_error.h"

namespace taskwatch {

absl::Status DrainingError() {
  ErrorDetails details;
  details.reason = ErrorReason::kServerDraining;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Seconds(1);
  return MakeError(details, "this server is shutting down; call again, and another one will answer");
}

absl::Time DeadlineOf(const grpc::ServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

}  // namespace taskwatch
