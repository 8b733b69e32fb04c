#include "service/dingtalk/tokens/cached_access_token.h"

#include <algorithm>

#include "service/runtime/post_answer.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kMaxRefreshMargin = absl::Minutes(5);
// DingTalk's last two hours; a longer one would let a mistake of the upstream's live on here.
constexpr absl::Duration kMaxLifetime = absl::Hours(24);
constexpr absl::Duration kFirstBackoff = absl::Seconds(1);
constexpr absl::Duration kMaxBackoff = absl::Minutes(1);
constexpr absl::Duration kPermanentFailureMemory = absl::Seconds(10);
constexpr absl::Duration kMaxPause = absl::Minutes(5);

// For how long `error` is believed.
absl::Duration MemoryOf(const ErrorDetails& error) {
  // An error without details says nothing of later attempts.
  if (error.reason == ErrorReason::kNone) return absl::ZeroDuration();
  switch (error.persistence) {
    case Persistence::kPermanent:
      return kPermanentFailureMemory;
    case Persistence::kPaused:
      return std::min(error.retry_after.value_or(kMaxPause), kMaxPause);
    case Persistence::kTransient:
    case Persistence::kDoubtful:
      break;
  }
  return absl::ZeroDuration();
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
  absl::Status failure;
  if (!fetching_ && (!token_.has_value() || refresh_due_)) {
    failure = RememberedFailure();
    if (failure.ok()) StartFetch();
  }
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
  failure_.reset();
  loop_->CancelTimer(failure_timer_);
  failed_refreshes_ = 0;
  token_ = std::move(issued.token);
  // Counted from the answer, some moments late. A call that is refused for that is made again with a new token.
  const absl::Duration lifetime = std::min(issued.lifetime, kMaxLifetime);
  const absl::Duration margin = std::min(kMaxRefreshMargin, lifetime / 10);
  expiry_timer_ = loop_->RunAfter(lifetime, [this] { DropToken(); });
  refresh_timer_ = loop_->RunAfter(lifetime - margin, [this] { refresh_due_ = true; });
}

void CachedAccessToken::OnFailure(const absl::Status& status) {
  loop_->CancelTimer(failure_timer_);
  failure_.reset();
  const ErrorDetails details = DetailsOf(status);
  if (const absl::Duration memory = MemoryOf(details); memory > absl::ZeroDuration()) {
    failure_ = Failure{status, loop_->Now(), credentials_version_};
    failure_timer_ = loop_->RunAfter(memory, [this] { failure_.reset(); });
  }
  if (token_.has_value()) DelayRefresh(details.retry_after.value_or(absl::ZeroDuration()));
}

void CachedAccessToken::DelayRefresh(absl::Duration at_least) {
  absl::Duration backoff = kFirstBackoff;
  for (int i = 0; i < failed_refreshes_ && backoff < kMaxBackoff; ++i) backoff *= 2;
  ++failed_refreshes_;
  refresh_due_ = false;
  refresh_timer_ = loop_->RunAfter(std::max(std::min(backoff, kMaxBackoff), at_least), [this] { refresh_due_ = true; });
}

absl::Status CachedAccessToken::RememberedFailure() const {
  if (!failure_.has_value()) return absl::OkStatus();
  ErrorDetails details = DetailsOf(failure_->status);
  // Other credentials may be the right ones, but they do not end a pause.
  if (details.persistence != Persistence::kPaused) {
    const std::optional<uint64_t> version = source_->CredentialsVersion();
    if (!version.has_value() || version != failure_->credentials_version) return absl::OkStatus();
  }
  if (!details.retry_after.has_value()) return failure_->status;
  // The wall clock may have been set meanwhile; that must not make the rest longer than the whole.
  const absl::Duration rest = *details.retry_after - (loop_->Now() - failure_->since);
  details.retry_after = std::clamp(rest, absl::ZeroDuration(), *details.retry_after);
  return MakeError(details, failure_->status.message());
}

void CachedAccessToken::DropToken() {
  token_.reset();
  refresh_due_ = false;
  loop_->CancelTimer(expiry_timer_);
  loop_->CancelTimer(refresh_timer_);
}

}  // namespace taskwatch
