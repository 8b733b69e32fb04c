#include "tests/dingtalk_standin/dingtalk_server.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "nlohmann/json.hpp"

#include "tests/dingtalk_standin/control_json.h"
#include "tests/patience/patience.h"

namespace taskwatch::standin {
namespace {

Answer JsonAnswer(int status, std::string body) {
  Answer answer;
  answer.status = status;
  answer.headers = {{"Content-Type", "application/json"}};
  answer.body = std::move(body);
  return answer;
}

Answer ControlError(int status, absl::string_view message) {
  nlohmann::json body;
  body["error"] = std::string(message);
  return JsonAnswer(status, absl::StrCat(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), "\n"));
}

// Does `apply` to each element that was read, or tells why nothing could be read.
template <typename T, typename Apply>
Answer ForEach(absl::StatusOr<std::vector<T>> elements, Apply apply) {
  if (!elements.ok()) return ControlError(400, elements.status().message());
  for (T& element : *elements) apply(std::move(element));
  return JsonAnswer(200, "{}\n");
}

}  // namespace

absl::StatusOr<std::unique_ptr<DingTalkServer>> DingTalkServer::Start(Options options) {
  std::unique_ptr<DingTalkServer> server(new DingTalkServer(options.model));
  absl::StatusOr<std::unique_ptr<HttpServer>> http =
      HttpServer::Start(options.http, [raw = server.get()](const Request& request) { return raw->Handle(request); });
  if (!http.ok()) return http.status();
  server->http_ = *std::move(http);
  const bool ipv6 = absl::StrContains(options.http.host, ':');
  server->base_url_ = absl::StrCat(options.http.tls_cert_file.empty() ? "http://" : "https://", ipv6 ? "[" : "",
                                   options.http.host, ipv6 ? "]" : "", ":", server->port());
  return server;
}

void DingTalkServer::WithModel(absl::FunctionRef<void(DingTalkModel& model, absl::Time now)> use) {
  const std::lock_guard<std::mutex> lock(mutex_);
  use(model_, absl::Now());
}

void DingTalkServer::AwaitCalls(Api api, int64_t count) {
  std::unique_lock<std::mutex> lock(mutex_);
  const bool reached = call_handled_.wait_for(lock, absl::ToChronoNanoseconds(Patience()),
                                              [&] { return model_.counts().of(api) >= count; });
  if (!reached) GiveUp(absl::StrCat("call ", count, " to the stand-in"));
}

Answer DingTalkServer::Handle(const Request& request) {
  if (absl::StartsWith(request.path, "/control/")) return Control(request);
  const std::lock_guard<std::mutex> lock(mutex_);
  Answer answer = model_.Handle(request, absl::Now());
  call_handled_.notify_all();
  return answer;
}

Answer DingTalkServer::Control(const Request& request) {
  const std::string what = absl::StrCat(request.method, " ", request.path);
  const std::lock_guard<std::mutex> lock(mutex_);
  const absl::Time now = absl::Now();
  if (what == "POST /control/faults") {
    return ForEach(FaultsFromJson(request.body), [this](Fault fault) { model_.InjectFault(std::move(fault)); });
  }
  if (what == "POST /control/tasks") {
    return ForEach(TasksFromJson(request.body),
                   [this, now](NamedTask task) { model_.AddTask(task.task_id, task.plan, now); });
  }
  if (what == "POST /control/tokens") {
    return ForEach(TokensFromJson(request.body),
                   [this, now](NewToken token) { model_.AddToken(token.token, now + token.lifetime); });
  }
  if (what == "GET /control/calls") return JsonAnswer(200, CallsToJson(model_, start_));
  if (what == "DELETE /control/faults") {
    model_.ClearFaults();
  } else if (what == "DELETE /control/calls") {
    model_.ClearCalls();
  } else if (what == "POST /control/expire_tokens") {
    model_.ExpireTokens();
  } else {
    return ControlError(404, "no such control; dingtalk_server.h lists them");
  }
  return JsonAnswer(200, "{}\n");
}

}  // namespace taskwatch::standin
