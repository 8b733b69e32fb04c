// An HTTP client in virtual time whose gateway is the stand-in's model.
#ifndef TASKWATCH_TESTS_QUOTA_MODEL_HTTP_CLIENT_H_
#define TASKWATCH_TESTS_QUOTA_MODEL_HTTP_CLIENT_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/http/http_client.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/http_message.h"

namespace taskwatch {

// Each way takes `latency`. What hangs in the model times out here, and connections break as it says. All must outlive
// it, and no call may be under way when it is destroyed.
class ModelHttpClient final : public HttpClient {
 public:
  ModelHttpClient(SimulatedLoop* loop, standin::DingTalkModel* model, absl::Duration latency)
      : loop_(loop), model_(model), latency_(latency) {}

  void Send(HttpRequest request, Done done) override {
    loop_->RunAfter(latency_, [this, request = std::move(request), done = std::move(done)]() mutable {
      standin::Request received;
      received.method = request.method == HttpRequest::Method::kGet ? "GET" : "POST";
      received.path = std::move(request.path);
      received.headers = std::move(request.headers);
      if (!request.body.empty()) received.headers.emplace_back("content-type", "application/json");
      received.body = std::move(request.body);
      standin::Answer answer = model_->Handle(received, loop_->Now());
      absl::Duration way = latency_;
      absl::StatusOr<HttpResponse> response = HttpResponse();
      if (answer.transport == standin::Transport::kHang) {
        way = request.timeout - latency_;
        response = NoAnswer(ErrorReason::kUpstreamTimeout);
      } else if (answer.transport != standin::Transport::kNormal) {
        response = NoAnswer(ErrorReason::kUpstreamUnavailable);
      } else {
        response->status = answer.status;
        response->body = std::move(answer.body);
      }
      loop_->RunAfter(
          way, [done = std::move(done), response = std::move(response)]() mutable { done(std::move(response)); });
    });
  }

 private:
  static absl::Status NoAnswer(ErrorReason reason) {
    ErrorDetails details;
    details.reason = reason;
    details.persistence = Persistence::kTransient;
    return MakeError(details, "no answer");
  }

  SimulatedLoop* const loop_;
  standin::DingTalkModel* const model_;
  const absl::Duration latency_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_QUOTA_MODEL_HTTP_CLIENT_H_
