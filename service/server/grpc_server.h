// A gRPC server for any services: listener, completion thread, health, reflection, limits and shutdown.
#ifndef TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_
#define TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/server/call_limit.h"
#include "service/server/completion_thread.h"
#include "service/server/health_service.h"
#include "service/server/reflection_service.h"
#include "service/server/server_call.h"
#include "service/server/time_limit.h"

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
    // The largest request message of all methods, in bytes. Each method has its own bound (ServerCall).
    int max_request_bytes = 64 * 1024;
    // Calls of all kinds at a time, but those that count elsewhere (ServerCall::limit), and what further ones are told.
    size_t max_open_calls = 10'000;
    grpc::Status too_many_calls{grpc::StatusCode::RESOURCE_EXHAUSTED, "this server has as many calls open as it may"};
    // A call whose caller does not read what it is sent for so long, or up to a quarter longer, is cancelled.
    absl::Duration stall_timeout = absl::Seconds(30);
    // A stream of reflection on which nothing is asked for so long, or up to a quarter longer, ends.
    absl::Duration reflection_idle_timeout = absl::Minutes(1);
  };

  // Listens, and serves grpc.health.v1 and reflection. The calls of `services`, which must outlive the server, wait
  // until ServerCall::Await is given `serving()`. Fails with UNAVAILABLE if it cannot listen.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options,
                                                           const std::vector<grpc::Service*>& services);

  // Cancels the calls that are still open, and returns when they are over.
  ~GrpcServer();

  // Where it listens: the address of the options, with the port that was picked if that was 0.
  const std::string& address() const { return address_; }

  // What its calls work with.
  const Serving* serving() const { return &serving_; }

  // Calls that count among the open ones at the moment.
  size_t open_calls() const { return open_calls_.taken(); }

  // Tells health checkers, the overall service ("") and each service by name, that no more calls should be sent.
  void StopServing();

  // Takes no new calls, waits until the open ones have ended, cancels those that are left after `timeout`, and returns
  // when the last one is over for its caller. Blocks; call it once. The completion thread goes on until the server is
  // destroyed, so that each call still gets its OnDone.
  void Shutdown(absl::Duration timeout);

 private:
  explicit GrpcServer(const Options& options);

  // Begins to take calls from `queue`.
  void Serve(std::unique_ptr<grpc::ServerCompletionQueue> queue, const Options& options);

  HealthService health_;
  ReflectionService reflection_;
  CallLimit open_calls_;
  std::optional<TimeLimit> stall_limit_;
  // Ends before what is declared above, for the calls use it.
  std::unique_ptr<CompletionThread> completions_;
  Serving serving_{};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_GRPC_SERVER_H_
