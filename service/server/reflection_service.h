// grpc.reflection.v1 and v1alpha: clients that do not have the protos ask the server for them.
#ifndef TASKWATCH_SERVICE_SERVER_REFLECTION_SERVICE_H_
#define TASKWATCH_SERVICE_SERVER_REFLECTION_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

#include "service/server/call_limit.h"
#include "service/server/server_call.h"
#include "service/server/time_limit.h"

namespace taskwatch {

// Takes the place of gRPC's own, which is built on the synchronous API: there each open stream has a thread.
//
// A stream is a conversation of a few requests. There may be a hundred at a time, all versions together; they count
// among the server's open calls too. One on which no request comes for a minute ends with UNAVAILABLE: its client can
// open another one.
//
// Lives on the completion thread from Serve on.
class ReflectionService {
 public:
  // Knows the services `names`, and its own.
  explicit ReflectionService(std::vector<std::string> names);

  // For the server's builder; both versions.
  std::vector<grpc::Service*> services() { return {&v1_, &v1alpha_}; }

  // Starts to answer. To be called once, when the server has been built.
  void Serve(const Serving* serving, absl::Duration idle_timeout);

 private:
  template <typename Version>
  class InfoCall;

  std::vector<std::string> names_;
  grpc::reflection::v1::ServerReflection::AsyncService v1_;
  grpc::reflection::v1alpha::ServerReflection::AsyncService v1alpha_;
  std::optional<CallLimit> streams_;
  std::optional<TimeLimit> idle_limit_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_REFLECTION_SERVICE_H_
