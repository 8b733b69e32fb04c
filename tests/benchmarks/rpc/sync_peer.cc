// A straightforward service of the same contract, for comparison: synchronous gRPC, one blocking libcurl call for each
// request, and a thread that sleeps and polls for each watcher. It shares nothing between callers.
#include <curl/curl.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "taskwatch/v1/task_service.grpc.pb.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0", "host:port; port 0 picks a free one");
ABSL_FLAG(std::string, upstream, "", "http://host:port");

namespace taskwatch {
namespace {

size_t OnBody(const char* bytes, size_t, size_t count, void* body) {
  static_cast<std::string*>(body)->append(bytes, count);
  return count;
}

grpc::Status Fetch(const std::string& task_id, v1::TaskInfo& task) {
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), curl_easy_cleanup);
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
      curl_slist_append(nullptr, "x-acs-dingtalk-access-token: token"), curl_slist_free_all);
  std::string body;
  curl_easy_setopt(easy.get(), CURLOPT_URL,
                   absl::StrCat(absl::GetFlag(FLAGS_upstream), "/v2.0/doc/task/info/", task_id).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &body);
  const CURLcode result = curl_easy_perform(easy.get());
  if (result != CURLE_OK) return {grpc::StatusCode::UNAVAILABLE, curl_easy_strerror(result)};
  const nlohmann::json answer = nlohmann::json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains("status")) return {grpc::StatusCode::INTERNAL, "malformed"};
  const int status = answer["status"];
  task.set_task_id(task_id);
  task.set_upstream_status(status);
  task.set_done(status >= 1);
  task.set_state(status == 1 ? v1::TASK_STATE_SUCCEEDED : v1::TASK_STATE_RUNNING);
  task.set_total_count(answer.value("totalCount", 0));
  task.set_succeeded_count(answer.value("succCount", 0));
  task.set_failed_count(answer.value("failCount", 0));
  task.set_etag(body);
  return grpc::Status::OK;
}

class SyncService final : public v1::TaskService::Service {
 public:
  grpc::Status GetTaskInfo(grpc::ServerContext*, const v1::GetTaskInfoRequest* request,
                           v1::GetTaskInfoResponse* response) override {
    return Fetch(request->task_id(), *response->mutable_task());
  }

  grpc::Status WatchTask(grpc::ServerContext* context, const v1::WatchTaskRequest* request,
                         grpc::ServerWriter<v1::WatchTaskResponse>* writer) override {
    std::string etag;
    while (!context->IsCancelled()) {
      v1::WatchTaskResponse response;
      if (grpc::Status status = Fetch(request->task_id(), *response.mutable_task()); !status.ok()) return status;
      if (response.task().etag() != etag && !writer->Write(response)) break;
      if (response.task().done()) return grpc::Status::OK;
      etag = response.task().etag();
      std::this_thread::sleep_for(std::chrono::seconds(2));
    }
    return grpc::Status::CANCELLED;
  }
};

}  // namespace
}  // namespace taskwatch

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  taskwatch::SyncService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(absl::GetFlag(FLAGS_listen), grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 2;
  std::fprintf(stderr, "sync_peer: listening on 127.0.0.1:%d\n", port);
  int signal = 0;
  sigwait(&signals, &signal);
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}
