// An HTTP client that answers from a script, and is no kinder than the real one.
#ifndef TASKWATCH_TESTS_FAKES_SCRIPTED_HTTP_CLIENT_H_
#define TASKWATCH_TESTS_FAKES_SCRIPTED_HTTP_CLIENT_H_

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/http/http_client.h"
#include "service/runtime/event_loop.h"

namespace taskwatch {

// Fails the test when a request comes that is not the next of the script, that is not well-formed, or when the script
// is not played to its end. Never calls back inside Send; times out as the request asks; calls nothing once destroyed.
// The loop must outlive it.
class ScriptedHttpClient final : public HttpClient {
 public:
  explicit ScriptedHttpClient(EventLoop* loop) : loop_(loop) {}
  ~ScriptedHttpClient() override;

  // The next request after those expected so far is `request_line` ("GET /path"). It gets `answer` after `latency`, or
  // the error of a timeout if its own comes first.
  void Expect(std::string request_line, absl::StatusOr<HttpResponse> answer,
              absl::Duration latency = absl::ZeroDuration());

  void Send(HttpRequest request, Done done) override;

  // Everything that was sent, in order.
  const std::vector<HttpRequest>& requests() const { return requests_; }

 private:
  struct Exchange {
    std::string request_line;
    absl::StatusOr<HttpResponse> answer;
    absl::Duration latency;
  };

  EventLoop* const loop_;
  std::deque<Exchange> script_;
  std::vector<HttpRequest> requests_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// An answer with `status` and `body`, and the request id "request-id".
HttpResponse HttpAnswer(int status, std::string body);

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_SCRIPTED_HTTP_CLIENT_H_
