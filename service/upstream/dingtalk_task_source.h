// The state of tasks as DingTalk tells it.
#ifndef TASKWATCH_SERVICE_UPSTREAM_DINGTALK_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_UPSTREAM_DINGTALK_TASK_SOURCE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"
#include "service/upstream/access_token.h"
#include "service/upstream/http_client.h"

namespace taskwatch {

// Asks GET /v2.0/doc/task/info/{taskId}, once per Fetch, and once more with a new token if the first was rejected.
// Keeps nothing between calls, so any number may be under way; how many may be made is not decided here.
//
// Errors are those of error_table.h, task_parser.h, the HTTP client and the token provider, with these completed:
// - kInvalidTaskId: the id could leave its place in the path; nothing was called;
// - kUpstreamUnauthenticated: the new token was rejected too, or there is none to be had;
// - kMonthlyQuotaExhausted: `retry_after` is the time until the next natural month, or a minute if one has just begun.
//
// Lives on the event loop's thread. The loop, the HTTP client and the token provider must outlive it.
class DingTalkTaskSource final : public TaskSource {
 public:
  struct Options {
    // For one HTTP call. A Fetch takes at most two of them and two waits for a token.
    absl::Duration attempt_timeout = absl::Seconds(5);
  };

  DingTalkTaskSource(EventLoop* loop, HttpClient* http, AccessTokenProvider* tokens, Options options)
      : loop_(loop), http_(http), tokens_(tokens), options_(options) {}

  void Fetch(absl::string_view task_id, Done done) override;

 private:
  // One Fetch under way.
  struct Attempt {
    std::string task_id;
    Done done;
    // How DingTalk has rejected the first token, if it has.
    absl::Status rejection;
  };

  void GetToken(std::shared_ptr<Attempt> attempt);
  void Send(std::shared_ptr<Attempt> attempt, std::string token);
  void OnAnswer(std::shared_ptr<Attempt> attempt, const std::string& token, absl::StatusOr<HttpResponse> response);
  // Ends the attempt on a later turn of the loop, for what may happen before Fetch has returned.
  void PostError(std::shared_ptr<Attempt> attempt, absl::Status error);
  // `error` with what only the clock tells.
  absl::Status Completed(absl::Status error) const;

  EventLoop* const loop_;
  HttpClient* const http_;
  AccessTokenProvider* const tokens_;
  const Options options_;
  // Tells callbacks whether this still exists.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_UPSTREAM_DINGTALK_TASK_SOURCE_H_
