#include "tests/fakes/scripted_http_client.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

absl::Status NoAnswer(ErrorReason reason, absl::string_view message) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = Persistence::kTransient;
  return MakeError(details, message);
}

void ExpectWellFormed(const HttpRequest& request) {
  const auto printable = [](const std::string& text) {
    return std::all_of(text.begin(), text.end(), absl::ascii_isprint);
  };
  EXPECT_TRUE(absl::StartsWith(request.path, "/")) << request.path;
  EXPECT_TRUE(std::all_of(request.path.begin(), request.path.end(), absl::ascii_isgraph)) << request.path;
  EXPECT_FALSE(absl::StrContains(request.path, "..")) << request.path;
  EXPECT_GT(request.timeout, absl::ZeroDuration());
  for (const auto& [name, value] : request.headers) {
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(printable(name) && printable(value)) << "in header " << name;
  }
  EXPECT_TRUE(request.method == HttpRequest::Method::kPost || request.body.empty());
}

}  // namespace

ScriptedHttpClient::~ScriptedHttpClient() {
  for (const Exchange& exchange : script_) ADD_FAILURE() << "never sent: " << exchange.request_line;
}

void ScriptedHttpClient::Expect(std::string request_line, absl::StatusOr<HttpResponse> answer, absl::Duration latency) {
  script_.push_back({std::move(request_line), std::move(answer), latency});
}

void ScriptedHttpClient::Send(HttpRequest request, Done done) {
  ExpectWellFormed(request);
  const std::string request_line =
      absl::StrCat(request.method == HttpRequest::Method::kGet ? "GET " : "POST ", request.path);
  Exchange exchange{request_line, NoAnswer(ErrorReason::kUpstreamUnavailable, "not in the script"), {}};
  if (script_.empty()) {
    ADD_FAILURE() << "unexpected: " << request_line;
  } else {
    EXPECT_EQ(request_line, script_.front().request_line);
    exchange = std::move(script_.front());
    script_.pop_front();
  }
  if (exchange.latency > request.timeout) {
    exchange.answer = NoAnswer(ErrorReason::kUpstreamTimeout, "timed out");
    exchange.latency = request.timeout;
  }
  requests_.push_back(std::move(request));
  auto answer = [alive = std::weak_ptr<bool>(alive_), done = std::move(done),
                 answer = std::move(exchange.answer)]() mutable {
    if (!alive.expired()) done(std::move(answer));
  };
  if (exchange.latency == absl::ZeroDuration()) {
    loop_->Post(std::move(answer));
  } else {
    loop_->RunAfter(exchange.latency, std::move(answer));
  }
}

HttpResponse HttpAnswer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = {{"x-acs-request-id", "request-id"}};
  return response;
}

}  // namespace taskwatch
