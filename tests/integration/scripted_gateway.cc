#include "tests/integration/scripted_gateway.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

std::string HttpAnswer(absl::string_view status, absl::string_view body) {
  return absl::StrCat("HTTP/1.1 ", status, "\r\ncontent-type: application/json\r\ncontent-length: ", body.size(),
                      "\r\n\r\n", body);
}

}  // namespace

ScriptedGateway::ScriptedGateway()
    : server_([this](RawServer::Connection& connection, const std::string& head) { Answer(connection, head); }) {}

void ScriptedGateway::Hold() {
  absl::MutexLock lock(&mutex_);
  holding_ = true;
}

void ScriptedGateway::Release() {
  absl::MutexLock lock(&mutex_);
  holding_ = false;
}

void ScriptedGateway::Finish() {
  absl::MutexLock lock(&mutex_);
  last_running_ = 0;
}

void ScriptedGateway::FinishWithCall(int64_t number) {
  absl::MutexLock lock(&mutex_);
  last_running_ = number - 1;
}

int64_t ScriptedGateway::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

void ScriptedGateway::AwaitCalls(int64_t count) {
  const auto reached = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return calls_ >= count; };
  Await(mutex_, absl::Condition(&reached), absl::StrCat("call ", count, " to the gateway"));
}

void ScriptedGateway::Answer(RawServer::Connection& connection, const std::string& head) {
  absl::string_view rest = head;
  if (!absl::ConsumePrefix(&rest, "GET /v2.0/doc/task/info/")) {
    connection.Send(HttpAnswer("404 Not Found", R"({"code":"InvalidAction.NotFound"})"));
    return;
  }
  const absl::string_view task_id = rest.substr(0, rest.find(' '));
  int64_t number = 0;
  bool running = true;
  {
    absl::MutexLock lock(&mutex_);
    number = ++calls_;
    const auto released = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !holding_; };
    mutex_.Await(absl::Condition(&released));
    running = number <= last_running_;
  }
  constexpr int64_t kItems = 1'000'000'000'000;
  connection.Send(HttpAnswer(
      "200 OK", absl::StrCat(R"({"taskId":")", task_id, R"(","status":)", running ? 0 : 1, R"(,"totalCount":)", kItems,
                             R"(,"succCount":)", running ? number : kItems, R"(,"failCount":0})")));
}

}  // namespace taskwatch
