#include "service/dingtalk/tokens/cached_access_token.h"

#include <algorithm>

#include "service/runtime/growing_pause.h"
#include "service/runtime/post_answer.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kMaxRefreshMargin = absl::Minutes(5);
// DingTalk's last two hours; a longer one would let a mistake of the upstream's live on here.
constexpr absl::Duration kMaxLifetime = absl::Hours(24);
constexpr absl::Duration kMaxPause = absl::Minutes(5);
// While a fetch is under way, it is known soon how it ends.
constexpr absl::Duration kRetryDuringFetch = absl::Seconds(1);

// `error`, told without another fetch.
absl::Status Remembered(const absl::Status& error, absl::Duration retry_after) {
  ErrorDetails details = DetailsOf(error);
  details.not_asked = true;
  details.retry_after = retry_after;
  return MakeError(details, error.message());
}

}  // namespace

CachedAccessToken::~CachedAccessToken() {
  DropToken();
  loop_->CancelTimer(failure_timer_);
}

std::optional<std::string> CachedAccessToken::Cached() const {
  if (refresh_due_ && !fetching_) return std::nullopt;
  return token_;
}

void CachedAccessToken::GetToken(Done done) {
  if (token_.has_value() && !refresh_due_) return PostAnswer(loop_, lifetime_, std::move(done), *token_);
  // While the failure of the last fetch stands, no caller waits for the outcome of the next one.
  absl::Status failure =
      fetching_ && failure_.has_value() ? Remembered(failure_->status, kRetryDuringFetch) : RememberedFailure();
  if (!fetching_ && failure.ok()) StartFetch();
  if (token_.has_value()) {
    PostAnswer(loop_, lifetime_, std::move(done), *token_);
  } else if (!failure.ok()) {
    PostAnswer(loop_, lifetime_, std::move(done), std::move(failure));
  } else {
    waiters_.push_back(std::move(done));
  }
}

void CachedAccessToken::Invalidate(absl::string_view token) {
  if (token_ != token) return;
  if (fetching_) rejected_meanwhile_ = token_;
  DropToken();
}

void CachedAccessToken::StartFetch() {
  fetching_ = true;
  rejected_meanwhile_.reset();
  credentials_version_ = source_->CredentialsVersion();
  // The source belongs to this, and calls nobody once it is destroyed.
  source_->Fetch([this](absl::StatusOr<IssuedToken> issued) { OnFetched(std::move(issued)); });
}

void CachedAccessToken::OnFetched(absl::StatusOr<IssuedToken> issued) {
  // Asked before the rejection, DingTalk named the token that it then rejected. It may know better now.
  if (issued.ok() && rejected_meanwhile_ == issued->token) return StartFetch();
  fetching_ = false;
  const absl::StatusOr<std::string> result = issued.ok() ? absl::StatusOr<std::string>(issued->token) : issued.status();
  issued.ok() ? Adopt(*std::move(issued)) : OnFailure(issued.status());
  for (Done& waiter : waiters_) PostAnswer(loop_, lifetime_, std::move(waiter), result);
  waiters_.clear();
}

void CachedAccessToken::Adopt(IssuedToken issued) {
  DropToken();
  ForgetFailure();
  failures_ = 0;
  token_ = std::move(issued.token);
  // Counted from the answer, some moments late. A call that is refused for that is made again with a new token.
  const absl::Duration lifetime = std::min(issued.lifetime, kMaxLifetime);
  const absl::Duration margin = std::min(kMaxRefreshMargin, lifetime / 10);
  expiry_timer_ = loop_->RunAfter(lifetime, [this] { DropToken(); });
  refresh_timer_ = loop_->RunAfter(lifetime - margin, [this] { refresh_due_ = true; });
}

void CachedAccessToken::OnFailure(const absl::Status& status) {
  const ErrorDetails details = DetailsOf(status);
  const bool paused = details.persistence == Persistence::kPaused;
  ++failures_;
  absl::Duration pause = GrowingPause(failures_);
  if (paused) pause = std::min(details.retry_after.value_or(kMaxPause), kMaxPause);
  pause = std::max(pause, std::min(details.retry_after.value_or(absl::ZeroDuration()), kMaxPause));
  ForgetFailure();
  // What was not asked has cost nothing, and an error without details says nothing of later attempts.
  if (details.reason != ErrorReason::kNone && (paused || !details.not_asked)) {
    failure_ = Failure{status, loop_->Now(), pause, false, credentials_version_};
    failure_timer_ = loop_->RunAfter(pause, [this] { failure_->over = true; });
  }
  if (!token_.has_value()) return;
  refresh_due_ = false;
  refresh_timer_ = loop_->RunAfter(pause, [this] { refresh_due_ = true; });
}

absl::Status CachedAccessToken::RememberedFailure() {
  if (!failure_.has_value() || failure_->over) return absl::OkStatus();
  // Other credentials may be the right ones, but they do not end a pause.
  if (DetailsOf(failure_->status).persistence != Persistence::kPaused) {
    const std::optional<uint64_t> version = source_->CredentialsVersion();
    if (!version.has_value() || version != failure_->credentials_version) {
      failures_ = 0;
      ForgetFailure();
      return absl::OkStatus();
    }
  }
  // The wall clock may have been set meanwhile; that must not make the rest longer than the whole.
  const absl::Duration rest = failure_->pause - (loop_->Now() - failure_->since);
  return Remembered(failure_->status, std::clamp(rest, absl::ZeroDuration(), failure_->pause));
}

void CachedAccessToken::ForgetFailure() {
  failure_.reset();
  loop_->CancelTimer(failure_timer_);
}

void CachedAccessToken::DropToken() {
  token_.reset();
  refresh_due_ = false;
  loop_->CancelTimer(expiry_timer_);
  loop_->CancelTimer(refresh_timer_);
}

}  // namespace taskwatch
