// Access tokens that DingTalk issues to an app for its key and secret.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_OAUTH_ACCESS_TOKEN_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_OAUTH_ACCESS_TOKEN_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/dingtalk/tokens/access_token.h"
#include "service/dingtalk/tokens/token_answer.h"
#include "service/http/http_client.h"
#include "service/quota/call_gate.h"
#include "service/runtime/event_loop.h"
#include "service/secrets/secret_file.h"

namespace taskwatch {

// Keeps one token and the call that renews it; never two calls at a time, however many wait for one.
//
// A token is handed out, at once, until its lifetime is over. The first GetToken within the refresh margin (a tenth of
// the lifetime, at most 5 minutes) also starts a call for the next one, so nobody waits for it; nothing is called while
// nobody asks. If that call fails the old token stays in use, and the next such call waits: 1 s, doubled up to 1 min.
//
// Without a token, GetToken waits for the call. What a failure means for later ones, its Persistence says:
// - kTransient: all who wait get it; the next to ask tries again (backoff is for the one who asks);
// - kPermanent, as a wrong secret is: asked again only after 10 s, or when the secret file has changed;
// - kPaused: asked again only after its `retry_after`, at most 5 min.
// Until then GetToken fails at once with the remembered error.
//
// Lives on the event loop's thread. The loop and the HTTP client must outlive it.
class OauthAccessToken final : public AccessTokenProvider {
 public:
  struct Options {
    std::string app_key;
    // Exactly one of the two is set. A file is read for each call, so that a changed secret is taken up.
    std::string app_secret;
    std::string app_secret_file;
    // Set: POST /v1.0/oauth2/{corpId}/token. Empty: POST /v1.0/oauth2/accessToken, which does not count against the
    // monthly quota.
    std::string corp_id;
    // For one call.
    absl::Duration timeout = absl::Seconds(5);
    // Set, it gives leave for each call of /v1.0/oauth2/{corpId}/token, which counts against the month; the other call
    // does not, and asks nobody. Must outlive the provider.
    CallGate* gate = nullptr;
  };

  // INVALID_ARGUMENT if `options` cannot work; names the setting, never a secret. Does not read the file yet.
  static absl::StatusOr<std::unique_ptr<OauthAccessToken>> Create(EventLoop* loop, HttpClient* http, Options options);

  ~OauthAccessToken() override;

  void GetToken(Done done) override;
  void Invalidate(absl::string_view token) override;

 private:
  struct Failure {
    absl::Status status;
    absl::Time since;
    // The version of the secret that it came with.
    uint64_t secret_version;
  };

  OauthAccessToken(EventLoop* loop, HttpClient* http, Options options);

  absl::StatusOr<Secret> ReadSecret();
  HttpRequest RequestWith(const Secret& secret) const;
  // Begins a call, unless there is no secret to make it with.
  absl::Status StartCall();
  void Send(const Secret& secret);
  void OnAnswer(const Secret& secret, absl::StatusOr<HttpResponse> response);
  void Adopt(IssuedToken issued);
  void OnFailure(const absl::Status& status, uint64_t secret_version);
  void DelayEarlyRefresh(absl::Duration at_least);
  // The remembered failure if it is still to be believed, else OK.
  absl::Status RememberedFailure();
  void Drop();
  void AnswerWaiters(const absl::StatusOr<std::string>& result);

  EventLoop* const loop_;
  HttpClient* const http_;
  const Options options_;
  std::optional<SecretFile> secret_file_;

  std::optional<std::string> token_;
  EventLoop::TimerId expiry_timer_;
  // Whether the next GetToken should also start a call for the next token.
  bool refresh_due_ = false;
  EventLoop::TimerId refresh_timer_;
  int failed_refreshes_ = 0;

  bool call_in_flight_ = false;
  // The token that was rejected since the call in flight began, if any.
  std::optional<std::string> rejected_meanwhile_;
  std::vector<Done> waiters_;

  std::optional<Failure> failure_;
  EventLoop::TimerId failure_timer_;

  // Tells callbacks whether this still exists.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_OAUTH_ACCESS_TOKEN_H_
