// The state of tasks as DingTalk tells it.
#ifndef TASKWATCH_SERVICE_DINGTALK_DINGTALK_TASK_SOURCE_H_
#define TASKWATCH_SERVICE_DINGTALK_DINGTALK_TASK_SOURCE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/dingtalk/tokens/access_token.h"
#include "service/http/http_client.h"
#include "service/quota/call_gate.h"
#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"

namespace taskwatch {

// Asks GET /v2.0/doc/task/info/{taskId}, once per Fetch, and once more with a new token if the first was rejected. Each
// of these calls is made with leave of the gate only, which hears what became of it. Any number may be under way.
//
// Errors are those of error_table.h, task_parser.h, the HTTP client, the token provider and the gate, with these
// completed:
// - kInvalidTaskId: the id could leave its place in the path; nothing was called;
// - kUpstreamUnauthenticated: the new token was rejected too, or there is none to be had;
// - kMonthlyQuotaExhausted: `retry_after` is the time until the next natural month, or a minute if one has just begun.
//
// Lives on the event loop's thread. The loop, the HTTP client, the token provider and the gate must outlive it.
class DingTalkTaskSource final : public TaskSource {
 public:
  struct Options {
    // For one HTTP call. A Fetch takes at most two of them, and waits for two tokens and two turns.
    absl::Duration attempt_timeout = absl::Seconds(5);
  };

  DingTalkTaskSource(EventLoop* loop, HttpClient* http, AccessTokenProvider* tokens, CallGate* gate, Options options)
      : loop_(loop), http_(http), tokens_(tokens), gate_(gate), options_(options) {}

  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override;
  void Join(absl::string_view task_id, const FetchOptions& options) override;

 private:
  // One Fetch under way.
  struct Attempt {
    DingTalkTaskSource* source = nullptr;
    // Tells callbacks whether the source still exists.
    std::weak_ptr<bool> source_alive;
    std::string task_id;
    FetchOptions options;
    Done done;
    // At the gate, unless it is zero.
    CallGate::Ticket ticket = 0;
    // Whether it is in `waiting_`.
    bool listed = false;
    // Whether the token, or leave, was not there at once.
    bool waited = false;
    // What it is sent with.
    std::string token;
    // How DingTalk has rejected the first token, if it has.
    absl::Status rejection;
  };

  void GetToken(const std::shared_ptr<Attempt>& attempt);
  // Asks the gate, then sends, with a token asked for anew if leave did not come at once.
  void AskLeave(const std::shared_ptr<Attempt>& attempt);
  void OnLeave(const std::shared_ptr<Attempt>& attempt, const absl::Status& leave);
  void GetTokenAndSend(const std::shared_ptr<Attempt>& attempt);
  void OnNoToken(const std::shared_ptr<Attempt>& attempt, const absl::Status& error);
  void List(const std::shared_ptr<Attempt>& attempt);
  void Unlist(Attempt& attempt);
  void Send(const std::shared_ptr<Attempt>& attempt);
  void OnAnswer(const std::shared_ptr<Attempt>& attempt, absl::StatusOr<HttpResponse> response);
  // Ends the attempt on a later turn of the loop, for what may happen before Fetch has returned.
  void PostError(const std::shared_ptr<Attempt>& attempt, const absl::Status& error);
  // `error` with what only the clock tells.
  absl::Status Completed(absl::Status error) const;

  EventLoop* const loop_;
  HttpClient* const http_;
  AccessTokenProvider* const tokens_;
  CallGate* const gate_;
  const Options options_;
  // The attempts that wait for a token or for leave, by task id.
  std::multimap<std::string, std::shared_ptr<Attempt>, std::less<>> waiting_;
  // Attempts know by it whether this still exists.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_DINGTALK_TASK_SOURCE_H_
