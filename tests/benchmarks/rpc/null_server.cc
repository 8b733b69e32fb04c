// The least that a gRPC server of the same contract can do: constant answers on the callback API, no logic. What
// taskwatchd costs beyond this is its own.
//
// GetTaskInfo with a `max_staleness` of zero makes a new state and sends it to every stream, as a fresh answer of
// DingTalk's does in taskwatchd; so the same load client drives both.
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <cstdio>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0", "host:port; port 0 picks a free one");

namespace taskwatch {
namespace {

// The content of an answer like DingTalk's, as taskwatchd would pass it on.
void FillTask(const std::string& task_id, int64_t count, bool done, v1::TaskInfo& task) {
  task.set_task_id(task_id);
  task.set_state(done ? v1::TASK_STATE_SUCCEEDED : v1::TASK_STATE_RUNNING);
  task.set_done(done);
  task.set_total_count(1'000'000'000);
  task.set_succeeded_count(count);
  task.set_failed_count(0);
  task.set_upstream_status(done ? 1 : 0);
  task.set_etag(absl::StrCat(absl::Hex(count, absl::kZeroPad16)));
  task.mutable_observe_time()->set_seconds(1'800'000'000);
  task.mutable_observe_time()->set_nanos(123'456'789);
  task.mutable_change_time()->set_seconds(1'800'000'000);
  task.mutable_change_time()->set_nanos(123'456'789);
}

class NullService final : public v1::TaskService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetTaskInfo(grpc::CallbackServerContext* context, const v1::GetTaskInfoRequest* request,
                                        v1::GetTaskInfoResponse* response) override {
    int64_t count = 0;
    if (request->has_max_staleness() && request->max_staleness().seconds() == 0) count = Broadcast();
    FillTask(request->task_id(), count, !request->has_max_staleness(), *response->mutable_task());
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<v1::WatchTaskResponse>* WatchTask(grpc::CallbackServerContext*,
                                                             const v1::WatchTaskRequest* request) override {
    return new Stream(this, request->task_id());
  }

 private:
  class Stream final : public grpc::ServerWriteReactor<v1::WatchTaskResponse> {
   public:
    Stream(NullService* service, std::string task_id) : service_(service), task_id_(std::move(task_id)) {
      Send(0);
      const std::lock_guard<std::mutex> lock(service_->mutex_);
      service_->streams_.insert(this);
    }
    void Send(int64_t count) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (finished_) return;
      if (writing_) {
        pending_ = count;
        return;
      }
      Write(count);
    }
    void OnWriteDone(bool ok) override {
      const std::lock_guard<std::mutex> lock(mutex_);
      writing_ = false;
      if (ok && pending_.has_value()) Write(*pending_);
      pending_.reset();
    }
    void OnCancel() override {
      {
        const std::lock_guard<std::mutex> lock(service_->mutex_);
        service_->streams_.erase(this);
      }
      const std::lock_guard<std::mutex> lock(mutex_);
      finished_ = true;
      Finish(grpc::Status::CANCELLED);
    }
    void OnDone() override { delete this; }

   private:
    void Write(int64_t count) {
      response_.Clear();
      FillTask(task_id_, count, false, *response_.mutable_task());
      writing_ = true;
      StartWrite(&response_);
    }

    NullService* const service_;
    const std::string task_id_;
    std::mutex mutex_;
    bool writing_ = false;
    bool finished_ = false;
    std::optional<int64_t> pending_;
    v1::WatchTaskResponse response_;
  };

  int64_t Broadcast() {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++count_;
    for (Stream* const stream : streams_) stream->Send(count_);
    return count_;
  }

  std::mutex mutex_;
  int64_t count_ = 0;
  std::set<Stream*> streams_;
};

}  // namespace
}  // namespace taskwatch

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  taskwatch::NullService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(absl::GetFlag(FLAGS_listen), grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 2;
  std::fprintf(stderr, "null_server: listening on 127.0.0.1:%d\n", port);
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}
