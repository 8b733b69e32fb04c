// Taskwatch put together: all rooms, from a configuration to a gRPC server that takes calls.
#ifndef TASKWATCH_SERVICE_TASKWATCH_SERVICE_H_
#define TASKWATCH_SERVICE_TASKWATCH_SERVICE_H_

#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/config.h"
#include "service/rpc/task_service.h"
#include "service/runtime/curl_event_loop.h"
#include "service/server/grpc_server.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "service/upstream/access_token.h"
#include "service/upstream/curl_http_client.h"
#include "service/upstream/dingtalk_task_source.h"
#include "service/upstream/logged_task_source.h"
#include "service/upstream/pausing_task_source.h"

namespace taskwatch {

// Owns every room and the loop's thread. Knows neither flags nor signals: taskwatchd adds them, tests do without.
class TaskwatchService {
 public:
  struct Stats {
    TaskTracker::Stats tracker;
    TaskService::Stats calls;
  };

  // Takes calls when it returns. The error is for people and names the flag that is wrong.
  static absl::StatusOr<std::unique_ptr<TaskwatchService>> Start(const Config& config);

  // Breaks off what is still open, unless Drain has ended it.
  ~TaskwatchService();

  // Where it listens, with the port that was picked if the configuration says 0.
  const std::string& address() const { return server_->address(); }

  // Ends all calls in good order: tells health checkers, delivers what is pending, and cancels what is left after
  // `timeout`. Returns when everything has ended, the loop's thread included. Blocks; call it once.
  void Drain(absl::Duration timeout);

  // The loop on which everything lives; what is posted to it after Drain is never run.
  EventLoop* loop() { return &loop_; }

  // Loop thread only.
  Stats stats() const { return {tracker_.stats(), service_.stats()}; }

 private:
  explicit TaskwatchService(const Config& config);

  CurlEventLoop loop_;
  CurlHttpClient http_;
  // Null only if Start fails.
  const absl::StatusOr<std::unique_ptr<AccessTokenProvider>> tokens_;
  DingTalkTaskSource dingtalk_;
  LoggedTaskSource logged_;
  PausingTaskSource source_;
  SnapshotCache cache_;
  TaskTracker tracker_;
  TaskService service_;
  std::unique_ptr<GrpcServer> server_;
  std::thread loop_thread_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASKWATCH_SERVICE_H_
