#include "service/dingtalk/tokens/oauth_access_token.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "service/secrets/secret_text.h"
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

// Whether `corp_id` can stand in a path as it is.
bool IsPathSegment(absl::string_view corp_id) {
  return corp_id.size() <= 128 && std::all_of(corp_id.begin(), corp_id.end(),
                                              [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<OauthAccessToken>> OauthAccessToken::Create(EventLoop* loop, HttpClient* http,
                                                                           Options options) {
  if (!IsSecretText(options.app_key)) {
    return absl::InvalidArgumentError("--app_key must be printable ASCII without spaces, and not empty");
  }
  if (options.app_secret.empty() == options.app_secret_file.empty()) {
    return absl::InvalidArgumentError("exactly one of --app_secret_file and DINGTALK_APP_SECRET must be set");
  }
  if (!options.app_secret.empty()) {
    absl::StatusOr<std::string> secret = TrimSecret(options.app_secret, "DINGTALK_APP_SECRET");
    if (!secret.ok()) return absl::InvalidArgumentError(secret.status().message());
    options.app_secret = *std::move(secret);
  }
  if (!IsPathSegment(options.corp_id)) {
    return absl::InvalidArgumentError("--corp_id may hold letters, digits, '_' and '-' only, 128 at most");
  }
  return absl::WrapUnique(new OauthAccessToken(loop, http, std::move(options)));
}

OauthAccessToken::OauthAccessToken(EventLoop* loop, HttpClient* http, Options options)
    : loop_(loop), http_(http), options_(std::move(options)) {
  if (!options_.app_secret_file.empty()) secret_file_.emplace(options_.app_secret_file);
}

OauthAccessToken::~OauthAccessToken() {
  Drop();
  loop_->CancelTimer(failure_timer_);
}

void OauthAccessToken::GetToken(Done done) {
  if (token_.has_value()) {
    if (refresh_due_ && !call_in_flight_ && RememberedFailure().ok()) {
      // Without a secret there is no call; the error is told when it matters, after the token's end.
      if (!StartCall().ok()) DelayEarlyRefresh(absl::ZeroDuration());
    }
    // A copy, as `done` may destroy this.
    done(std::string(*token_));
    return;
  }
  if (!call_in_flight_) {
    absl::Status failure = RememberedFailure();
    if (failure.ok()) failure = StartCall();
    if (!failure.ok()) {
      done(std::move(failure));
      return;
    }
  }
  waiters_.push_back(std::move(done));
}

void OauthAccessToken::Invalidate(absl::string_view token) {
  if (token_ != token) return;
  if (call_in_flight_) rejected_meanwhile_ = token_;
  Drop();
}

absl::StatusOr<Secret> OauthAccessToken::ReadSecret() {
  if (secret_file_.has_value()) return secret_file_->Read();
  return Secret{options_.app_secret, 0};
}

HttpRequest OauthAccessToken::RequestWith(const Secret& secret) const {
  HttpRequest request;
  request.method = HttpRequest::Method::kPost;
  request.timeout = options_.timeout;
  // All values are ASCII, so writing them cannot fail.
  if (options_.corp_id.empty()) {
    request.path = "/v1.0/oauth2/accessToken";
    request.body = nlohmann::json{{"appKey", options_.app_key}, {"appSecret", secret.value}}.dump();
  } else {
    request.path = absl::StrCat("/v1.0/oauth2/", options_.corp_id, "/token");
    request.body =
        nlohmann::json{
            {"client_id", options_.app_key},
            {"client_secret", secret.value},
            {"grant_type", "client_credentials"},
        }
            .dump();
  }
  return request;
}

absl::Status OauthAccessToken::StartCall() {
  const absl::StatusOr<Secret> secret = ReadSecret();
  if (!secret.ok()) return secret.status();
  call_in_flight_ = true;
  rejected_meanwhile_.reset();
  if (options_.gate == nullptr || options_.corp_id.empty()) {
    Send(*secret);
    return absl::OkStatus();
  }
  CallGate::Terms terms;
  terms.purpose = CallGate::Purpose::kToken;
  options_.gate->Ask(std::move(terms),
                     [this, alive = std::weak_ptr<bool>(alive_), secret = *secret](const absl::Status& leave) {
                       if (alive.expired()) return;
                       if (leave.ok()) return Send(secret);
                       // Not at once, as whoever starts the call is only then among those who wait for it.
                       loop_->Post([this, alive, secret, leave] {
                         if (!alive.expired()) OnAnswer(secret, leave);
                       });
                     });
  return absl::OkStatus();
}

void OauthAccessToken::Send(const Secret& secret) {
  http_->Send(RequestWith(secret),
              [this, alive = std::weak_ptr<bool>(alive_), secret](absl::StatusOr<HttpResponse> response) {
                if (!alive.expired()) OnAnswer(secret, std::move(response));
              });
}

void OauthAccessToken::OnAnswer(const Secret& secret, absl::StatusOr<HttpResponse> response) {
  call_in_flight_ = false;
  absl::StatusOr<IssuedToken> issued =
      response.ok() ? IssuedTokenIn(*response, secret.value) : absl::StatusOr<IssuedToken>(response.status());
  if (issued.ok() && rejected_meanwhile_ == issued->token) {
    // Asked before the rejection, DingTalk named the token that it then rejected. It may know better now.
    const absl::Status started = StartCall();
    if (started.ok()) return;
    issued = started;
  }
  if (!issued.ok()) {
    OnFailure(issued.status(), secret.version);
    AnswerWaiters(issued.status());
    return;
  }
  Adopt(*std::move(issued));
  AnswerWaiters(std::string(*token_));
}

void OauthAccessToken::Adopt(IssuedToken issued) {
  Drop();
  failure_.reset();
  loop_->CancelTimer(failure_timer_);
  failed_refreshes_ = 0;
  token_ = std::move(issued.token);
  // Counted from the answer, some moments late. A call that is refused for that is made again with a new token.
  const absl::Duration lifetime = std::min(issued.lifetime, kMaxLifetime);
  const absl::Duration margin = std::min(kMaxRefreshMargin, lifetime / 10);
  expiry_timer_ = loop_->RunAfter(lifetime, [this] { Drop(); });
  refresh_timer_ = loop_->RunAfter(lifetime - margin, [this] { refresh_due_ = true; });
}

void OauthAccessToken::OnFailure(const absl::Status& status, uint64_t secret_version) {
  const ErrorDetails details = DetailsOf(status);
  absl::Duration memory = absl::ZeroDuration();
  // An error without details says nothing of later attempts.
  if (details.reason != ErrorReason::kNone) {
    if (details.persistence == Persistence::kPermanent) memory = kPermanentFailureMemory;
    if (details.persistence == Persistence::kPaused)
      memory = std::min(details.retry_after.value_or(kMaxPause), kMaxPause);
  }
  loop_->CancelTimer(failure_timer_);
  failure_.reset();
  if (memory > absl::ZeroDuration()) {
    failure_ = Failure{status, loop_->Now(), secret_version};
    failure_timer_ = loop_->RunAfter(memory, [this] { failure_.reset(); });
  }
  if (token_.has_value()) DelayEarlyRefresh(details.retry_after.value_or(absl::ZeroDuration()));
}

void OauthAccessToken::DelayEarlyRefresh(absl::Duration at_least) {
  absl::Duration backoff = kFirstBackoff;
  for (int i = 0; i < failed_refreshes_ && backoff < kMaxBackoff; ++i) backoff *= 2;
  ++failed_refreshes_;
  refresh_due_ = false;
  refresh_timer_ = loop_->RunAfter(std::max(std::min(backoff, kMaxBackoff), at_least), [this] { refresh_due_ = true; });
}

absl::Status OauthAccessToken::RememberedFailure() {
  if (!failure_.has_value()) return absl::OkStatus();
  if (secret_file_.has_value()) {
    const absl::StatusOr<Secret> secret = secret_file_->Read();
    const bool paused = DetailsOf(failure_->status).persistence == Persistence::kPaused;
    // Another secret may be the right one, but it does not end a pause.
    if (!paused && (!secret.ok() || secret->version != failure_->secret_version)) return absl::OkStatus();
  }
  ErrorDetails details = DetailsOf(failure_->status);
  if (!details.retry_after.has_value()) return failure_->status;
  // The wall clock may have been set meanwhile; that must not make the rest longer than the whole.
  const absl::Duration rest = *details.retry_after - (loop_->Now() - failure_->since);
  details.retry_after = std::clamp(rest, absl::ZeroDuration(), *details.retry_after);
  return MakeError(details, failure_->status.message());
}

void OauthAccessToken::Drop() {
  token_.reset();
  refresh_due_ = false;
  loop_->CancelTimer(expiry_timer_);
  loop_->CancelTimer(refresh_timer_);
}

void OauthAccessToken::AnswerWaiters(const absl::StatusOr<std::string>& result) {
  // Waiters may ask again, or destroy this.
  std::vector<Done> waiters = std::exchange(waiters_, {});
  const std::weak_ptr<bool> alive = alive_;
  for (Done& waiter : waiters) {
    waiter(result);
    if (alive.expired()) return;
  }
}

}  // namespace taskwatch
