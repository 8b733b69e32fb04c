#include "service/server/grpc_server.h"

#include <grpc/support/log.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace taskwatch {
namespace {

// Silences gRPC's log while the server starts: if it cannot listen, gRPC prints that in its own format, and complains
// about the queue that is left over. Start's error says it once.
class QuietGrpcLog {
 public:
  QuietGrpcLog() {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
  ~QuietGrpcLog() { gpr_set_log_function(nullptr); }
};

std::vector<std::string> WithHealth(std::vector<std::string> service_names) {
  service_names.push_back(grpc::health::v1::Health::service_full_name());
  return service_names;
}

}  // namespace

GrpcServer::GrpcServer(const Options& options)
    : health_(options.service_names),
      reflection_(WithHealth(options.service_names)),
      open_calls_(options.max_open_calls, options.too_many_calls) {}

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options,
                                                              const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  std::unique_ptr<GrpcServer> started(new GrpcServer(options));
  builder.RegisterService(&started->health_);
  for (grpc::Service* service : started->reflection_.services()) builder.RegisterService(service);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  builder.SetMaxReceiveMessageSize(options.max_request_bytes);
  // Two servers on one port would share the callers between them without anybody noticing.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, absl::ToInt64Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, absl::ToInt64Milliseconds(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  // Clients may ping every 10 s, streams or not; the default of 5 minutes would cut well-meant keepalives off.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);

  const bool is_unix = options.listen.rfind("unix:", 0) == 0;
  {
    const QuietGrpcLog quiet;
    started->server_ = builder.BuildAndStart();
    started->Serve(std::move(queue), options);
    if (started->server_ == nullptr || (port == 0 && !is_unix)) {
      started.reset();
      return absl::UnavailableError(absl::StrCat("cannot listen on '", options.listen,
                                                 "'; is it host:port, of this machine, and is the port free?"));
    }
  }
  started->health_.Serve(&started->serving_);
  started->reflection_.Serve(&started->serving_, options.reflection_idle_timeout);
  started->address_ = options.listen;
  if (!is_unix) started->address_ = absl::StrCat(options.listen.substr(0, options.listen.rfind(':')), ":", port);
  return started;
}

void GrpcServer::Serve(std::unique_ptr<grpc::ServerCompletionQueue> queue, const Options& options) {
  completions_ = std::make_unique<CompletionThread>(std::move(queue));
  stall_limit_.emplace(completions_.get(), options.stall_timeout);
  serving_ = {completions_.get(), &*stall_limit_, &open_calls_};
}

GrpcServer::~GrpcServer() {
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  completions_.reset();
}

void GrpcServer::StopServing() {
  std::vector<CompletionThread::Operation> stop;
  stop.push_back([this] { health_.StopServing(); });
  completions_->Run(std::move(stop));
}

void GrpcServer::Shutdown(absl::Duration timeout) {
  server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
  server_->Wait();
}

}  // namespace taskwatch
