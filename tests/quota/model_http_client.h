// An HTTP client in virtual time whose gateway is the stand-in's model.
#ifndef TASKWATCH_TESTS_QUOTA_MODEL_HTTP_CLIENT_H_
#define TASKWATCH_TESTS_QUOTA_MODEL_HTTP_CLIENT_H_

#include <memory>
#include <utility>

#include "absl/time/time.h"

#include "service/http/http_client.h"
#include "service/runtime/simulated_loop.h"
#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/http_message.h"

namespace taskwatch {

// Each way takes `latency`. All must outlive it, and no call may be under way when it is destroyed.
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
      received.body = std::move(request.body);
      standin::Answer answer = model_->Handle(received, loop_->Now());
      HttpResponse response;
      response.status = answer.status;
      response.body = std::move(answer.body);
      loop_->RunAfter(
          latency_, [done = std::move(done), response = std::move(response)]() mutable { done(std::move(response)); });
    });
  }

 private:
  SimulatedLoop* const loop_;
  standin::DingTalkModel* const model_;
  const absl::Duration latency_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_QUOTA_MODEL_HTTP_CLIENT_H_
