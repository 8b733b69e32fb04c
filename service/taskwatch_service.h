// The whole service: makes the objects of all rooms from a Config, and serves gRPC.
#ifndef TASKWATCH_SERVICE_TASKWATCH_SERVICE_H_
#define TASKWATCH_SERVICE_TASKWATCH_SERVICE_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/config.h"
#include "service/dingtalk/dingtalk_task_source.h"
#include "service/dingtalk/tokens/access_token.h"
#include "service/http/curl_event_loop.h"
#include "service/http/curl_http_client.h"
#include "service/logged_task_source.h"
#include "service/quota/call_queue.h"
#include "service/rpc/task_service.h"
#include "service/server/completion_thread.h"
#include "service/server/grpc_server.h"
#include "service/store/state_store.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Owns every room and the loop's thread. Knows neither flags nor signals: taskwatchd adds them, tests do without.
class TaskwatchService {
 public:
  struct Stats {
    TaskTracker::Stats tracker;
    TaskService::Stats calls;
    // That count for `max_open_calls`: gRPC is not done with them.
    size_t open_calls = 0;
    CallQueue::Stats upstream;
    CurlHttpClient::Stats http;
    // All zero without a state file.
    StateStore::Stats store;
  };

  // Takes calls when it returns. The error is for people and names the flag that is wrong.
  static absl::StatusOr<std::unique_ptr<TaskwatchService>> Start(const Config& config);

  // Cancels the calls that are still open, unless Drain was called.
  ~TaskwatchService();

  // Where it listens, with the port that was picked if the configuration says 0.
  const std::string& address() const { return server_->address(); }

  // Graceful shutdown: health becomes NOT_SERVING, streams and waits end with SERVER_DRAINING after their pending
  // message, and calls that are left after `timeout` are cancelled. Returns when everything has ended, the loop's
  // thread included. Blocks; call it once.
  void Drain(absl::Duration timeout);

  // The loop on whose thread everything but gRPC lives. What is posted to it after Drain does not run.
  EventLoop* loop() { return &loop_; }

  // The thread on which gRPC's calls live. Not to be used any more when Drain has been called.
  CompletionThread* completions() { return server_->serving()->thread; }

  // Loop thread only.
  Stats stats();

 private:
  TaskwatchService(const Config& config, std::unique_ptr<StateStore> store);

  CurlEventLoop loop_;
  // Null if nothing is to be kept.
  const std::unique_ptr<StateStore> store_;
  CurlHttpClient http_;
  CallQueue queue_;
  // Null only if Start fails.
  const absl::StatusOr<std::unique_ptr<AccessTokenProvider>> tokens_;
  DingTalkTaskSource dingtalk_;
  LoggedTaskSource logged_;
  SnapshotCache cache_;
  TaskTracker tracker_;
  TaskService service_;
  std::unique_ptr<GrpcServer> server_;
  std::thread loop_thread_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASKWATCH_SERVICE_H_
