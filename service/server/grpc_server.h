// The gRPC server around whatever services it is given: listener, health, reflection, limits and the way it ends.
#ifndef TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_
#define TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

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

  // Listens, and serves `services` (which must outlive the server), grpc.health.v1 and reflection at once. Fails with
  // UNAVAILABLE if it cannot listen.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options,
                                                           const std::vector<grpc::Service*>& services);

  // Breaks off what is still open.
  ~GrpcServer();

  // Where it listens: the address of the options, with the port that was picked if that was 0.
  const std::string& address() const { return address_; }

  // Tells health checkers, the overall service ("") and each service by name, that no more calls should be sent.
  void StopServing();

  // Takes no new calls, waits until those open have ended, cancels what is left after `timeout`, and returns when the
  // last reactor is done. Blocks; call it once.
  void Shutdown(absl::Duration timeout);

 private:
  GrpcServer(std::unique_ptr<grpc::Server> server, std::string address)
      : server_(std::move(server)), address_(std::move(address)) {}

  const std::unique_ptr<grpc::Server> server_;
  const std::string address_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_
