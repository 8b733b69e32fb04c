// The stand-in for DingTalk's gateway as a real HTTP server, for clients that need a socket.
//
// Beside DingTalk's API it has an endpoint to control it, which DingTalk does not count (control_json.h has the forms):
//
//   POST   /control/faults           injects a fault, or an array of them
//   DELETE /control/faults           clears them
//   POST   /control/tasks            creates a task, or an array of them
//   POST   /control/tokens           accepts a token, or an array of them
//   POST   /control/expire_tokens    makes every token invalid
//   GET    /control/calls            what was asked and answered
//   DELETE /control/calls            forgets it
//
// Anybody who reaches the port reaches the control endpoint: listen on loopback only.
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_DINGTALK_SERVER_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_DINGTALK_SERVER_H_

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/http_message.h"
#include "tests/dingtalk_standin/http_server.h"

namespace taskwatch::standin {

// Thread-safe.
class DingTalkServer {
 public:
  struct Options {
    HttpServer::Options http;
    DingTalkModel::Options model;
  };

  // Listens when it returns; errors as HttpServer::Start.
  static absl::StatusOr<std::unique_ptr<DingTalkServer>> Start(Options options);

  ~DingTalkServer() { Stop(); }

  // Ends every connection, also those that hang or drip, and returns when no call is being answered any more.
  void Stop() {
    if (http_ != nullptr) http_->Stop();
  }

  int port() const { return http_->port(); }

  // "http://127.0.0.1:8080", for the client's setting.
  const std::string& base_url() const { return base_url_; }

  // Runs `use` on the model between calls, with the time that the model knows: to add tasks, inject faults, read the
  // log.
  void WithModel(absl::FunctionRef<void(DingTalkModel& model, absl::Time now)> use);

  // Waits until `count` calls of `api` have reached the model since the log was last cleared. Their answers may still
  // be on their way, or hang.
  void AwaitCalls(Api api, int64_t count);

 private:
  explicit DingTalkServer(const DingTalkModel::Options& options) : model_(options) {}

  Answer Handle(const Request& request);
  Answer Control(const Request& request);

  const absl::Time start_ = absl::Now();
  // The standard library's, because TSan sees nothing of the locks in a prebuilt Abseil, and would report every test
  // that has a stand-in.
  std::mutex mutex_;
  std::condition_variable call_handled_;
  // Guarded by mutex_.
  DingTalkModel model_;
  std::unique_ptr<HttpServer> http_;
  std::string base_url_;
};

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_DINGTALK_SERVER_H_
