// grpc.health.v1.Health: load balancers and orchestrators ask it whether to send calls to this server.
#ifndef TASKWATCH_SERVICE_SERVER_HEALTH_SERVICE_H_
#define TASKWATCH_SERVICE_SERVER_HEALTH_SERVICE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "grpc/health/v1/health.grpc.pb.h"

#include "service/server/call_limit.h"
#include "service/server/server_call.h"

namespace taskwatch {

// Takes the place of gRPC's own, which is built on the callback API: one callback method in a server brings threads
// that take part in all its calls.
//
// Checks do not count with the server's other calls, so that a probe is answered however many of those are open. They
// are answered at once: hundreds that stand open are of callers that do not read, so they have a limit of their own.
//
// Lives on the completion thread from Serve on.
class HealthService final : public grpc::health::v1::Health::AsyncService {
 public:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // Knows the services `names`, and the server as a whole (""); all of them are served.
  explicit HealthService(const std::vector<std::string>& names) : names_(names.begin(), names.end()) {
    names_.insert("");
  }

  // Starts to answer. To be called once, when the server has been built.
  void Serve(const Serving* serving);

  // All services become NOT_SERVING, and open Watch calls are told. Completion thread.
  void StopServing();

  // SERVICE_UNKNOWN if `name` is not one of the names.
  ServingStatus StatusOf(const std::string& name) const;

 private:
  class CheckCall;
  class WatchCall;

  absl::flat_hash_set<std::string> names_;
  std::optional<CallLimit> checks_;
  bool serving_ = true;
  absl::flat_hash_set<WatchCall*> watches_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_HEALTH_SERVICE_H_
