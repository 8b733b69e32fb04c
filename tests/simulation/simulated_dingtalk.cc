#include "tests/simulation/simulated_dingtalk.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"

#include "service/dingtalk/doc_task.h"
#include "service/quota/billing_month.h"
#include "service/task/task_error.h"
#include "tests/dingtalk_standin/api.h"
#include "tests/dingtalk_standin/fault.h"

namespace taskwatch::simulation {
namespace {

constexpr absl::string_view kTokenHeader = "x-acs-dingtalk-access-token";

// What `body`, one of the stand-in's own, says of the task. Not the parser of the code under test.
TaskInfo TruthIn(const std::string& task_id, const std::string& body) {
  const nlohmann::json json = nlohmann::json::parse(body);
  const auto count = [&json](const char* key) -> std::optional<int64_t> {
    if (!json.contains(key)) return std::nullopt;
    return json[key].get<int64_t>();
  };
  TaskInfo info;
  info.task_id = task_id;
  info.upstream_status = json["status"].get<int32_t>();
  info.state = TaskStateFromUpstream(*info.upstream_status);
  info.total_count = count("totalCount");
  info.succeeded_count = count("succCount");
  info.failed_count = count("failCount");
  return info;
}

absl::Status NoAnswer(ErrorReason reason, absl::string_view message) {
  ErrorDetails details;
  details.reason = reason;
  details.persistence = Persistence::kTransient;
  return MakeError(details, message);
}

}  // namespace

SimulatedDingTalk::SimulatedDingTalk(const SimulatedLoop* loop, Journal* journal, const Options& options)
    : loop_(loop), journal_(journal), clock_lag_(options.clock_lag), model_(options.model) {}

SimulatedDingTalk::Reply SimulatedDingTalk::Handle(const standin::Request& request) {
  Reply reply;
  const int64_t used = model_.monthly_calls_used();
  reply.answer = model_.Handle(request, Now());
  // The month's first call is of no interest here.
  reply.counts = model_.monthly_calls_used() == used + 1;
  const standin::DingTalkModel::Call& call = model_.calls().back();
  if (call.tells_state) reply.truth = TruthIn(call.task_id, reply.answer.body);
  return reply;
}

void SimulatedDingTalk::StartTask(const std::string& task_id, const standin::TaskPlan& plan) {
  journal_->Note("dingtalk: task ", task_id, " starts, waits ", absl::FormatDuration(plan.waiting), ", runs ",
                 absl::FormatDuration(plan.running), ", ends as ", plan.outcome);
  tasks_[task_id] = {plan, Now()};
  model_.AddTask(task_id, plan, Now());
}

absl::Time SimulatedDingTalk::EndOf(const std::string& task_id) const {
  const auto task = tasks_.find(task_id);
  if (task == tasks_.end() || !IsDone(TaskStateFromUpstream(task->second.plan.outcome))) return absl::InfiniteFuture();
  return task->second.created + task->second.plan.waiting + task->second.plan.running + clock_lag_;
}

void SimulatedDingTalk::InjectFault(absl::string_view name, int64_t count, std::optional<standin::Api> api,
                                    std::optional<int> retry_after_seconds) {
  standin::Fault fault = standin::CannedFault(name).value();
  fault.count = count;
  fault.api = api;
  if (retry_after_seconds.has_value()) fault.headers.emplace_back("Retry-After", absl::StrCat(*retry_after_seconds));
  journal_->Note("dingtalk: fault ", name, " x ", count, api.has_value() ? " of " : "",
                 api.has_value() ? standin::ApiName(*api) : "");
  model_.InjectFault(std::move(fault));
}

SimulatedHttpClient::~SimulatedHttpClient() { Crash(); }

void SimulatedHttpClient::Crash() {
  crashed_ = true;
  for (auto& [id, call] : calls_) loop_->CancelTimer(call.timer);
  calls_.clear();
}

void SimulatedHttpClient::NoteRecalled(const TaskSnapshot& snapshot) {
  observations_[snapshot.info.task_id].push_back(
      {snapshot.info, snapshot.etag, loop_->SteadyNow(), loop_->SteadyNow(), snapshot.observe_time});
}

void SimulatedHttpClient::Send(HttpRequest request, Done done) {
  if (crashed_) return;
  const uint64_t id = ++last_id_;
  Call& call = calls_[id];
  call.sent = loop_->Elapsed();
  call.sent_time = loop_->SteadyNow();
  call.month = MonthOf(loop_->Now());
  for (const auto& [name, value] : request.headers) {
    if (name == kTokenHeader) call.secret = value;
  }
  if (call.secret.empty()) {
    const nlohmann::json body = nlohmann::json::parse(request.body);
    call.secret = body.value("appSecret", body.value("client_secret", ""));
  } else {
    journal_->AddSecret(call.secret);
  }
  journal_->Note("http: call ", id, " ", request.path);
  call.request = std::move(request);
  call.done = std::move(done);
  const absl::Duration way = Latency();
  if (mood_->untrusted) {
    EndIn(way, id, NoAnswer(ErrorReason::kUpstreamUntrusted, "the certificate is of somebody unknown"));
  } else if (random_.Chance(mood_->unreachable)) {
    EndIn(way, id, NoAnswer(ErrorReason::kUpstreamUnavailable, "cannot connect"));
  } else if (way >= call.request.timeout) {
    EndIn(call.request.timeout, id, NoAnswer(ErrorReason::kUpstreamTimeout, "timed out on the way there"));
  } else {
    call.timer = loop_->RunAfter(way, [this, id] { Arrive(id); });
  }
}

const std::vector<SimulatedHttpClient::Observation>& SimulatedHttpClient::ObservationsOf(
    const std::string& task_id) const {
  static const auto* const kNone = new std::vector<Observation>();
  const auto observations = observations_.find(task_id);
  return observations == observations_.end() ? *kNone : observations->second;
}

bool SimulatedHttpClient::IsLatest(const TaskInfo& info) const {
  const std::vector<Observation>& observations = ObservationsOf(info.task_id);
  for (auto observation = observations.rbegin(); observation != observations.rend(); ++observation) {
    if (observation->info == info) return true;
    if (observation->received < loop_->SteadyNow()) return false;
  }
  return false;
}

absl::Duration SimulatedHttpClient::Latency() {
  if (random_.Chance(mood_->slow)) return random_.Between(absl::ZeroDuration(), absl::Seconds(10));
  return random_.Between(mood_->min_latency, mood_->max_latency);
}

void SimulatedHttpClient::Arrive(uint64_t id) {
  Call& call = calls_.at(id);
  const bool is_get = call.request.method == HttpRequest::Method::kGet;
  standin::Request request;
  request.method = is_get ? "GET" : "POST";
  request.path = call.request.path;
  request.headers = call.request.headers;
  if (!is_get) request.headers.emplace_back("content-type", "application/json");
  request.body = call.request.body;
  if (is_get && random_.Chance(mood_->stale)) dingtalk_->InjectFault("stale", 1, standin::Api::kTaskInfo, std::nullopt);
  if (is_get && random_.Chance(mood_->shrunken)) {
    dingtalk_->InjectFault("shrink", 1, standin::Api::kTaskInfo, std::nullopt);
  }
  SimulatedDingTalk::Reply reply = dingtalk_->Handle(request);
  if (reply.counts && on_counted_) on_counted_(call.month);

  const absl::Duration left = call.request.timeout - (loop_->Elapsed() - call.sent);
  absl::Duration way = Latency() + reply.answer.delay;
  absl::StatusOr<HttpResponse> response = HttpResponse{};
  switch (reply.answer.transport) {
    case standin::Transport::kHang:
      way = absl::InfiniteDuration();
      break;
    case standin::Transport::kDrip:
      way += absl::Seconds(1) * reply.answer.body.size();
      break;
    case standin::Transport::kClose:
    case standin::Transport::kReset:
      response = NoAnswer(ErrorReason::kUpstreamUnavailable, "connection broken");
      break;
    case standin::Transport::kHuge:
      response = NoAnswer(ErrorReason::kUpstreamMalformedResponse, "the body is too large");
      break;
    case standin::Transport::kNormal:
      break;
  }
  if (way >= left) {
    EndIn(left, id, NoAnswer(ErrorReason::kUpstreamTimeout, "timed out"));
    return;
  }
  if (!response.ok()) {
    EndIn(way, id, std::move(response));
    return;
  }
  response->status = reply.answer.status;
  response->body = std::move(reply.answer.body);
  if (response->status >= 400 && random_.Chance(mood_->indiscreet)) {
    response->body =
        absl::StrReplaceAll(response->body, {{"\"message\":\"", absl::StrCat("\"message\":\"not with ", call.secret)}});
  }
  for (const absl::string_view name : call.request.response_headers) {
    const absl::string_view value = standin::HeaderValue(reply.answer.headers, name);
    if (!value.empty()) response->headers.emplace_back(name, value);
  }
  EndIn(way, id, std::move(response), std::move(reply.truth));
}

void SimulatedHttpClient::EndIn(absl::Duration delay, uint64_t id, absl::StatusOr<HttpResponse> response,
                                std::optional<TaskInfo> truth) {
  calls_.at(id).timer =
      loop_->RunAfter(delay, [this, id, response = std::move(response), truth = std::move(truth)]() mutable {
        End(id, std::move(response), std::move(truth));
      });
}

void SimulatedHttpClient::End(uint64_t id, absl::StatusOr<HttpResponse> response, std::optional<TaskInfo> truth) {
  const auto call = calls_.find(id);
  Done done = std::move(call->second.done);
  const absl::Time sent = call->second.sent_time;
  calls_.erase(call);
  if (response.ok()) {
    journal_->Note("http: call ", id, " gets ", response->status, " ", response->body);
  } else {
    journal_->Note("http: call ", id, " fails: ", response.status().message());
  }
  if (truth.has_value()) {
    std::vector<Observation>& observations = observations_[truth->task_id];
    const bool over = !observations.empty() && IsDone(observations.back().info.state) && !forgets_;
    const std::string etag = EtagOf(*truth);
    if (!over) observations.push_back({*std::move(truth), etag, loop_->SteadyNow(), sent, loop_->Now()});
  }
  done(std::move(response));
}

}  // namespace taskwatch::simulation
