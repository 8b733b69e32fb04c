// grpc.health.v1.Health, by which load balancers and orchestrators ask whether calls should be sent.
#ifndef TASKWATCH_SERVICE_SERVER_HEALTH_SERVICE_H_
#define TASKWATCH_SERVICE_SERVER_HEALTH_SERVICE_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "grpc/health/v1/health.grpc.pb.h"

#include "service/server/completion_thread.h"

namespace taskwatch {

// gRPC's own health service is built on its callback API, whose threads would take part in every call of the server.
//
// Lives on the completion thread from Serve on.
class HealthService final : public grpc::health::v1::Health::AsyncService {
 public:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

  // Knows the services `names`, and the server as a whole (""); all of them are served.
  explicit HealthService(const std::vector<std::string>& names) : names_(names.begin(), names.end()) {
    names_.insert("");
  }

  // Begins to answer. To be called once, when the server has been built.
  void Serve(CompletionThread* thread);

  // From now on no service is served, and who watches is told. Completion thread.
  void StopServing();

  // SERVICE_UNKNOWN if nobody knows the name.
  ServingStatus StatusOf(const std::string& name) const;

 private:
  class CheckCall;
  class WatchCall;

  CompletionThread* thread_ = nullptr;
  absl::flat_hash_set<std::string> names_;
  bool serving_ = true;
  absl::flat_hash_set<WatchCall*> watches_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_HEALTH_SERVICE_H_
