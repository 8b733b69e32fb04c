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
#include "service/runtime/lifetime.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"

namespace taskwatch {

// Asks GET /v2.0/doc/task/info/{taskId}, once per Fetch, and once more with a new token if the first was rejected. Each
// of these calls needs a token, then a permit of the gate, which hears what became of it. Any number may be under way.
//
// Errors are those of error_table.h, doc_task.h, the HTTP client, the token provider and the gate, with these
// completed:
// - kInvalidTaskId: the id could leave its place in the path; nothing was called;
// - kUpstreamUnauthenticated: the new token was rejected too, or there is none to be had;
// - kMonthlyQuotaExhausted: `retry_after` is the time until the next natural month, or a minute if one has just begun.
//
// Lives on the event loop's thread. The loop, the HTTP client, the token provider and the gate must outlive it.
class DingTalkTaskSource final : public TaskSource {
 public:
  struct Options {
    // For one HTTP call. A Fetch takes at most two of them, and waits for two tokens and two permits.
    absl::Duration attempt_timeout = absl::Seconds(5);
  };

  DingTalkTaskSource(EventLoop* loop, HttpClient* http, AccessTokenProvider* tokens, CallGate* gate, Options options)
      : loop_(loop), http_(http), tokens_(tokens), gate_(gate), options_(options) {}

  void Fetch(absl::string_view task_id, const FetchOptions& options, Done done) override;
  bool Join(absl::string_view task_id, const FetchOptions& options) override;
  bool Cancel(absl::string_view task_id) override;

 private:
  // One Fetch under way. It goes from state to state in this order, and once more from the beginning if its token was
  // rejected.
  struct Attempt {
    enum class State {
      // Waits until there is a token: without one, a permit would be spent for nothing.
      kNeedsToken,
      kNeedsPermit,
      // Has its permit, so the call is made.
      kCalling,
      kCancelled,
    };

    std::string task_id;
    FetchOptions options;
    Done done;
    State state = State::kNeedsToken;
    // Set while nobody wants the answer: no second call is made for it.
    bool unwanted = false;
    // Of the last request for a permit.
    CallGate::RequestId request_id = 0;
    // What it is sent with.
    std::string token;
    // How DingTalk has rejected the first token, if it has.
    absl::Status rejection;
  };
  using AttemptPtr = std::shared_ptr<Attempt>;

  void Begin(const AttemptPtr& attempt);
  void AcquirePermit(const AttemptPtr& attempt);
  void OnPermit(const AttemptPtr& attempt, const absl::Status& permit);
  void Send(const AttemptPtr& attempt, std::string token);
  void OnAnswer(const AttemptPtr& attempt, absl::StatusOr<HttpResponse> response);
  void OnNoToken(const AttemptPtr& attempt, const absl::Status& error);
  // Forgets the attempt and answers it, which may destroy this.
  void Finish(const AttemptPtr& attempt, absl::StatusOr<TaskInfo> result);
  // `error` with what only the clock tells.
  absl::Status Completed(absl::Status error) const;

  EventLoop* const loop_;
  HttpClient* const http_;
  AccessTokenProvider* const tokens_;
  CallGate* const gate_;
  const Options options_;
  // By task id.
  std::multimap<std::string, AttemptPtr, std::less<>> attempts_;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_DINGTALK_TASK_SOURCE_H_
