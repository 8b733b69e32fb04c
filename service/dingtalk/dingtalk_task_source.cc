#include "service/dingtalk/dingtalk_task_source.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "service/dingtalk/doc_task.h"
#include "service/dingtalk/error_table.h"
#include "service/quota/billing_month.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// A refusal for the month that is told this soon after a month has begun is about the month before: clocks differ,
// answers take their time, and a token provider believes in a refusal for up to 5 minutes. Taken for the new month's it
// would cost all of that month.
constexpr absl::Duration kBeginningOfMonth = absl::Minutes(10);
constexpr absl::Duration kRetryAtBeginningOfMonth = absl::Minutes(1);

// When to ask again after a refusal for the month that is told at `now`.
absl::Duration RetryAfterMonthlyRefusal(absl::Time now) {
  if (UntilNextMonth(now - kBeginningOfMonth) <= kBeginningOfMonth) return kRetryAtBeginningOfMonth;
  // Whole seconds, so that nobody comes back a moment too early.
  return absl::Ceil(UntilNextMonth(now), absl::Seconds(1));
}

absl::Status InvalidTaskId() {
  ErrorDetails details;
  details.reason = ErrorReason::kInvalidTaskId;
  details.persistence = Persistence::kPermanent;
  details.field = "task_id";
  return MakeError(details, absl::StrCat("a task id is 1 to ", kMaxTaskIdLength, " letters, digits, '_' and '-'"));
}

CallGate::Purpose PurposeOf(const FetchOptions& options) {
  return options.priority == FetchOptions::Priority::kPoll ? CallGate::Purpose::kPoll : CallGate::Purpose::kCaller;
}

// `rejection`, of a token that had just been renewed.
absl::Status RejectedAgain(const absl::Status& rejection) {
  return MakeError(DetailsOf(rejection),
                   absl::StrCat("DingTalk also rejected a new access token; check that the token, "
                                "or --app_key, is of the organisation whose tasks are asked for: ",
                                rejection.message()));
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
  const auto attempt = std::make_shared<Attempt>();
  attempt->source = this;
  attempt->source_alive = alive_;
  attempt->task_id = std::string(task_id);
  attempt->options = options;
  attempt->done = std::move(done);
  if (!IsValidTaskId(task_id)) {
    PostError(attempt, InvalidTaskId());
    return;
  }
  GetToken(attempt);
}

void DingTalkTaskSource::Join(absl::string_view task_id, const FetchOptions& options) {
  if (waiting_.empty()) return;
  // Joining may let calls through, which changes the list.
  std::vector<std::shared_ptr<Attempt>> joined;
  const auto [begin, end] = waiting_.equal_range(task_id);
  for (auto waiting = begin; waiting != end; ++waiting) joined.push_back(waiting->second);
  for (const std::shared_ptr<Attempt>& attempt : joined) {
    FetchOptions& own = attempt->options;
    own.priority = std::max(own.priority, options.priority);
    own.deadline = std::max(own.deadline, options.deadline);
    if (attempt->ticket != 0) gate_->Join(attempt->ticket, PurposeOf(own), own.deadline);
  }
}

void DingTalkTaskSource::GetToken(const std::shared_ptr<Attempt>& attempt) {
  attempt->waited = true;
  tokens_->GetToken([attempt](absl::StatusOr<std::string> token) {
    attempt->waited = false;
    if (attempt->source_alive.expired()) return;
    if (token.ok()) {
      attempt->token = *std::move(token);
      attempt->source->AskLeave(attempt);
    } else {
      attempt->source->OnNoToken(attempt, token.status());
    }
  });
  if (attempt->waited) List(attempt);
}

void DingTalkTaskSource::AskLeave(const std::shared_ptr<Attempt>& attempt) {
  CallGate::Terms terms;
  terms.purpose = PurposeOf(attempt->options);
  terms.deadline = attempt->options.deadline;
  terms.task_id = attempt->task_id;
  const CallGate::Ticket ticket = gate_->Ask(std::move(terms), [attempt](const absl::Status& leave) {
    if (!attempt->source_alive.expired()) attempt->source->OnLeave(attempt, leave);
  });
  if (ticket == 0) return;
  attempt->waited = true;
  attempt->ticket = ticket;
  List(attempt);
}

void DingTalkTaskSource::OnLeave(const std::shared_ptr<Attempt>& attempt, const absl::Status& leave) {
  Unlist(*attempt);
  if (!leave.ok()) {
    PostError(attempt, leave);
  } else if (attempt->waited) {
    // The token may have been replaced meanwhile. Leave has been counted, so it is used.
    GetTokenAndSend(attempt);
  } else {
    Send(attempt);
  }
}

void DingTalkTaskSource::GetTokenAndSend(const std::shared_ptr<Attempt>& attempt) {
  tokens_->GetToken([attempt](absl::StatusOr<std::string> token) {
    if (attempt->source_alive.expired()) return;
    if (token.ok()) {
      attempt->token = *std::move(token);
      attempt->source->Send(attempt);
    } else {
      attempt->source->OnNoToken(attempt, token.status());
    }
  });
}

void DingTalkTaskSource::OnNoToken(const std::shared_ptr<Attempt>& attempt, const absl::Status& error) {
  Unlist(*attempt);
  // What DingTalk pauses for, it pauses for every call; the rate of token calls is another one.
  if (DetailsOf(error).persistence == Persistence::kPaused) gate_->Report(Completed(error));
  const absl::Status told = WithRejection(error, attempt->rejection);
  PostError(attempt, told);
}

void DingTalkTaskSource::List(const std::shared_ptr<Attempt>& attempt) {
  if (std::exchange(attempt->listed, true)) return;
  waiting_.emplace(attempt->task_id, attempt);
}

void DingTalkTaskSource::Unlist(Attempt& attempt) {
  attempt.ticket = 0;
  if (!std::exchange(attempt.listed, false)) return;
  const auto [begin, end] = waiting_.equal_range(attempt.task_id);
  waiting_.erase(std::find_if(begin, end, [&](const auto& waiting) { return waiting.second.get() == &attempt; }));
}

void DingTalkTaskSource::Send(const std::shared_ptr<Attempt>& attempt) {
  HttpRequest request;
  // A valid id needs no escaping.
  request.path = absl::StrCat("/v2.0/doc/task/info/", attempt->task_id);
  request.headers.emplace_back("x-acs-dingtalk-access-token", attempt->token);
  request.timeout = options_.attempt_timeout;
  http_->Send(std::move(request), [attempt](absl::StatusOr<HttpResponse> response) {
    if (!attempt->source_alive.expired()) attempt->source->OnAnswer(attempt, std::move(response));
  });
}

void DingTalkTaskSource::OnAnswer(const std::shared_ptr<Attempt>& attempt, absl::StatusOr<HttpResponse> response) {
  absl::StatusOr<TaskInfo> info =
      response.ok() ? Read(*response, attempt->task_id, attempt->token) : absl::StatusOr<TaskInfo>(response.status());
  if (info.ok()) {
    gate_->Report(absl::OkStatus());
    attempt->done(std::move(info));
    return;
  }
  absl::Status error = Completed(info.status());
  gate_->Report(error);
  if (DetailsOf(error).reason == ErrorReason::kUpstreamUnauthenticated) {
    tokens_->Invalidate(attempt->token);
    if (attempt->rejection.ok()) {
      attempt->rejection = error;
      GetToken(attempt);
      return;
    }
    error = RejectedAgain(error);
  }
  // `done` may destroy this; nothing is touched after it.
  attempt->done(std::move(error));
}

void DingTalkTaskSource::PostError(const std::shared_ptr<Attempt>& attempt, const absl::Status& error) {
  loop_->Post([attempt, error] {
    if (!attempt->source_alive.expired()) attempt->done(attempt->source->Completed(error));
  });
}

absl::Status DingTalkTaskSource::Completed(absl::Status error) const {
  ErrorDetails details = DetailsOf(error);
  if (details.reason != ErrorReason::kMonthlyQuotaExhausted || details.retry_after.has_value()) return error;
  details.retry_after = RetryAfterMonthlyRefusal(loop_->Now());
  return MakeError(details, error.message());
}

}  // namespace taskwatch
