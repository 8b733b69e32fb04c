#include "service/server/grpc_server.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/message.h"
#include "grpc/health/v1/health.pb.h"

namespace taskwatch {
namespace {

// Keeps gRPC from printing why it cannot listen in its own format; whoever starts the server says it once.
class QuietGrpcLog {
 public:
  QuietGrpcLog() {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
  ~QuietGrpcLog() { gpr_set_log_function(nullptr); }
};

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options,
                                                              const std::vector<grpc::Service*>& services) {
  static const bool plugins = [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    // Reflection names every service, and clients that want them all described give up where it cannot: gRPC's own
    // health service brings no description.
    google::protobuf::LinkMessageReflection<grpc::health::v1::HealthCheckRequest>();
    return true;
  }();
  static_cast<void>(plugins);

  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  // Two servers on one port would share the callers between them without anybody noticing.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, absl::ToInt64Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, absl::ToInt64Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Clients may ping every 10 s, streams or not; the default of 5 minutes would cut well-meant keepalives off.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);

  std::unique_ptr<grpc::Server> server;
  {
    const QuietGrpcLog quiet;
    server = builder.BuildAndStart();
  }
  const bool is_unix = options.listen.rfind("unix:", 0) == 0;
  if (server == nullptr || (port == 0 && !is_unix)) {
    return absl::UnavailableError(absl::StrCat("cannot listen on '", options.listen,
                                               "'; is it host:port, of this machine, and is the port free?"));
  }
  // gRPC itself only knows of the server as a whole, and tells those who ask for a service that there is none.
  for (const std::string& name : options.service_names) {
    server->GetHealthCheckService()->SetServingStatus(name, true);
  }
  std::string address = options.listen;
  if (!is_unix) address = absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(server), std::move(address)));
}

GrpcServer::~GrpcServer() { server_->Shutdown(std::chrono::system_clock::now()); }

void GrpcServer::StopServing() { server_->GetHealthCheckService()->SetServingStatus(false); }

void GrpcServer::Shutdown(absl::Duration timeout) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
  server_->Wait();
}

}  // namespace taskwatch
