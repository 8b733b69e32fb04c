#include "service/dingtalk/dingtalk_task_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "service/dingtalk/doc_task.h"
#include "service/dingtalk/error_table.h"
#include "service/quota/billing_month.h"
#include "service/runtime/post_answer.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

absl::Status InvalidTaskId() {
  ErrorDetails details;
  details.reason = ErrorReason::kInvalidTaskId;
  details.persistence = Persistence::kPermanent;
  details.field = "task_id";
  return MakeError(details, absl::StrCat("a task id is 1 to ", kMaxTaskIdLength, " letters, digits, '_' and '-'"));
}

// `rejection`, of a token that had just been renewed.
absl::Status RejectedAgain(const absl::Status& rejection) {
  ErrorDetails details = DetailsOf(rejection);
  details.log_detail = "check that the token, or --app_key, is of the organisation whose tasks are asked for";
  return MakeError(details, absl::StrCat("DingTalk also rejected a new access token: ", rejection.message()));
}

// `error`, of a call that was given up before it was made.
absl::Status NotMade(const absl::Status& error) {
  ErrorDetails details = DetailsOf(error);
  details.not_asked = true;
  return MakeError(details, error.message());
}

// `error`, which a new token may put right.
absl::Status Passing(const absl::Status& error) {
  ErrorDetails details = DetailsOf(error);
  details.persistence = Persistence::kTransient;
  return MakeError(details, error.message());
}

// `error`, of a provider that has no other token than the one that was rejected, with what is known of the rejection.
absl::Status WithRejection(const absl::Status& error, const absl::Status& rejection) {
  ErrorDetails details = DetailsOf(error);
  const bool tells_of_rejection = details.reason == ErrorReason::kUpstreamUnauthenticated && details.http_status == 0;
  if (rejection.ok() || !tells_of_rejection) return error;
  const ErrorDetails rejected = DetailsOf(rejection);
  details.http_status = rejected.http_status;
  details.upstream_code = rejected.upstream_code;
  details.upstream_request_id = rejected.upstream_request_id;
  return MakeError(details, error.message());
}

// What `response` says about the task; `token` appears in no error.
absl::StatusOr<TaskInfo> Read(const HttpResponse& response, absl::string_view task_id, absl::string_view token) {
  if (response.status != 200) return ErrorOf(response, token);
  absl::StatusOr<TaskInfo> info = ParseTaskInfo(task_id, response.body, token);
  // A task is never an error, so that its body need not be parsed a second time to see that.
  if (info.ok()) return info;
  if (absl::Status error = ErrorOf(response, token); !error.ok()) return error;
  return WithOrigin(info.status(), response, token);
}

}  // namespace

void DingTalkTaskSource::Fetch(absl::string_view task_id, const FetchOptions& options, Done done) {
  if (!IsValidTaskId(task_id)) return PostAnswer(loop_, lifetime_, std::move(done), InvalidTaskId());
  const auto attempt = std::make_shared<Attempt>();
  attempt->task_id = std::string(task_id);
  attempt->options = options;
  attempt->done = std::move(done);
  attempts_.emplace(attempt->task_id, attempt);
  Begin(attempt);
}

bool DingTalkTaskSource::Join(absl::string_view task_id, const FetchOptions& options) {
  bool waits = false;
  const auto [begin, end] = attempts_.equal_range(task_id);
  for (auto found = begin; found != end; ++found) {
    Attempt& attempt = *found->second;
    attempt.unwanted = false;
    attempt.options.priority = std::max(attempt.options.priority, options.priority);
    attempt.options.deadline = std::max(attempt.options.deadline, options.deadline);
    if (attempt.state == Attempt::State::kNeedsPermit) {
      gate_->Join(attempt.request_id, attempt.options.priority, attempt.options.deadline);
    }
    if (attempt.state != Attempt::State::kCalling) waits = true;
  }
  return waits;
}

bool DingTalkTaskSource::Cancel(absl::string_view task_id) {
  const auto found = attempts_.find(task_id);
  if (found == attempts_.end()) return false;
  const AttemptPtr attempt = found->second;
  attempt->unwanted = true;
  if (attempt->state == Attempt::State::kCalling) return false;
  // A permit on its way has been counted, so it is used.
  if (attempt->state == Attempt::State::kNeedsPermit && !gate_->Cancel(attempt->request_id)) return false;
  attempt->state = Attempt::State::kCancelled;
  attempt->done = nullptr;
  attempts_.erase(found);
  return true;
}

void DingTalkTaskSource::Begin(const AttemptPtr& attempt) {
  attempt->state = Attempt::State::kNeedsToken;
  if (tokens_->HasToken()) return AcquirePermit(attempt);
  tokens_->GetToken(lifetime_.Guard([this, attempt](const absl::StatusOr<std::string>& token) {
    if (attempt->state == Attempt::State::kCancelled) return;
    token.ok() ? AcquirePermit(attempt) : OnNoToken(attempt, token.status());
  }));
}

void DingTalkTaskSource::AcquirePermit(const AttemptPtr& attempt) {
  attempt->state = Attempt::State::kNeedsPermit;
  CallRequest request;
  request.priority = attempt->options.priority;
  request.deadline = attempt->options.deadline;
  request.task_id = attempt->task_id;
  attempt->request_id = gate_->Acquire(
      std::move(request), lifetime_.Guard([this, attempt](const absl::Status& permit) { OnPermit(attempt, permit); }));
}

void DingTalkTaskSource::OnPermit(const AttemptPtr& attempt, const absl::Status& permit) {
  attempt->state = Attempt::State::kCalling;
  if (!permit.ok()) return Finish(attempt, Completed(permit));
  // Looked up only now, as it may have been replaced meanwhile. If it is gone, the next one is waited for: the permit
  // has been counted, so it is used.
  if (std::optional<std::string> token = tokens_->Cached()) return Send(attempt, *std::move(token));
  tokens_->GetToken(lifetime_.Guard([this, attempt](absl::StatusOr<std::string> token) {
    if (token.ok()) return Send(attempt, *std::move(token));
    gate_->Report(attempt->request_id, NotMade(token.status()));
    OnNoToken(attempt, token.status());
  }));
}

void DingTalkTaskSource::Send(const AttemptPtr& attempt, std::string token) {
  attempt->token = std::move(token);
  HttpRequest request;
  // A valid id needs no escaping.
  request.path = absl::StrCat("/v2.0/doc/task/info/", attempt->task_id);
  request.headers.emplace_back("x-acs-dingtalk-access-token", attempt->token);
  request.response_headers = kErrorHeaders;
  request.timeout = options_.attempt_timeout;
  http_->Send(std::move(request), lifetime_.Guard([this, attempt](absl::StatusOr<HttpResponse> response) {
    OnAnswer(attempt, std::move(response));
  }));
}

void DingTalkTaskSource::OnAnswer(const AttemptPtr& attempt, absl::StatusOr<HttpResponse> response) {
  absl::StatusOr<TaskInfo> info =
      response.ok() ? Read(*response, attempt->task_id, attempt->token) : absl::StatusOr<TaskInfo>(response.status());
  if (info.ok()) {
    gate_->Report(attempt->request_id, absl::OkStatus());
    return Finish(attempt, std::move(info));
  }
  const absl::Status error = Completed(info.status());
  const bool rejected = ReasonOf(error) == ErrorReason::kUpstreamUnauthenticated;
  if (rejected) tokens_->Invalidate(attempt->token);
  if (rejected && attempt->rejection.ok()) {
    gate_->Report(attempt->request_id, Passing(error));
    if (attempt->unwanted) return Finish(attempt, Passing(error));
    attempt->rejection = error;
    return Begin(attempt);
  }
  const absl::Status verdict = rejected ? RejectedAgain(error) : error;
  gate_->Report(attempt->request_id, verdict);
  Finish(attempt, verdict);
}

void DingTalkTaskSource::OnNoToken(const AttemptPtr& attempt, const absl::Status& error) {
  const absl::Status completed = Completed(error);
  // What DingTalk pauses for, it pauses for every call; the rate of token calls is another one.
  if (DetailsOf(error).persistence == Persistence::kPaused) gate_->Report(0, completed);
  Finish(attempt, WithRejection(completed, attempt->rejection));
}

void DingTalkTaskSource::Finish(const AttemptPtr& attempt, absl::StatusOr<TaskInfo> result) {
  const auto [begin, end] = attempts_.equal_range(attempt->task_id);
  attempts_.erase(std::find_if(begin, end, [&](const auto& found) { return found.second == attempt; }));
  Done done = std::move(attempt->done);
  done(std::move(result));
}

absl::Status DingTalkTaskSource::Completed(absl::Status error) const {
  ErrorDetails details = DetailsOf(error);
  if (details.reason != ErrorReason::kMonthlyQuotaExhausted || details.retry_after.has_value()) return error;
  details.retry_after = RetryAfterMonthlyRefusal(loop_->Now());
  return MakeError(details, error.message());
}

}  // namespace taskwatch
