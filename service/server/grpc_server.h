// A gRPC server for any services: listener, completion thread, health, reflection, limits and shutdown.
#ifndef TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_
#define TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/server/completion_thread.h"
#include "service/server/health_service.h"

namespace taskwatch {

// Knows gRPC, not tasks. Serves from Start until Shutdown. Thread-safe.
class GrpcServer {
 public:
  struct Options {
    // "host:port", "[ipv6]:port" or "unix:path"; port 0 picks a free one.
    std::string listen;
    // The full names of the services, by which health checkers may ask: "taskwatch.v1.TaskService".
    std::vector<std::string> service_names;
    // A silent client is pinged after `keepalive_time`, and its calls end if it does not answer in `keepalive_timeout`.
    absl::Duration keepalive_time = absl::Minutes(1);
    absl::Duration keepalive_timeout = absl::Seconds(20);
    // The largest request message, in bytes.
    int max_request_bytes = 64 * 1024;
  };

  // Listens, and serves grpc.health.v1 and reflection. The calls of `services`, which must outlive the server, wait
  // until ServerCall::Await is given `completions()`. Fails with UNAVAILABLE if it cannot listen.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options,
                                                           const std::vector<grpc::Service*>& services);

  // Cancels the calls that are still open, and returns when they are over.
  ~GrpcServer();

  // Where it listens: the address of the options, with the port that was picked if that was 0.
  const std::string& address() const { return address_; }

  // The thread that serves all calls.
  CompletionThread* completions() { return completions_.get(); }

  // Tells health checkers, the overall service ("") and each service by name, that no more calls should be sent.
  void StopServing();

  // Takes no new calls, waits until the open ones have ended, cancels those that are left after `timeout`, and returns
  // when the last one is over for its caller. Blocks; call it once. The completion thread goes on until the server is
  // destroyed, so that each call still gets its OnDone.
  void Shutdown(absl::Duration timeout);

 private:
  explicit GrpcServer(const std::vector<std::string>& service_names) : health_(service_names) {}

  HealthService health_;
  std::unique_ptr<CompletionThread> completions_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_
