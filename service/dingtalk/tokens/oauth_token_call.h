// The call by which DingTalk issues an access token to an app, for its key and secret.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_OAUTH_TOKEN_CALL_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_OAUTH_TOKEN_CALL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/dingtalk/tokens/token_source.h"
#include "service/http/http_client.h"
#include "service/quota/call_gate.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"
#include "service/secrets/secret_file.h"

namespace taskwatch {

// One HTTP call for each Fetch, with the secret of that moment. Errors are those of token_answer.h, secret_file.h, the
// HTTP client and the gate; kMonthlyQuotaExhausted has the `retry_after` of billing_month.h.
//
// Lives on the event loop's thread. The loop, the HTTP client and the gate must outlive it.
class OauthTokenCall final : public TokenSource {
 public:
  struct Options {
    std::string app_key;
    // Exactly one of the two is set. A file is read for each call, so that a changed secret is taken up.
    std::string app_secret;
    std::string app_secret_file;
    // Set: POST /v1.0/oauth2/{corpId}/token, which counts against the monthly quota. Empty: POST
    // /v1.0/oauth2/accessToken, which does not.
    std::string corp_id;
    // For one call.
    absl::Duration timeout = absl::Seconds(5);
    // Gives the permit for each call that counts against the monthly quota. Null: no call needs one.
    CallGate* gate = nullptr;
  };

  // INVALID_ARGUMENT if `options` cannot work; names the setting, never a secret. Does not read the file yet.
  static absl::StatusOr<std::unique_ptr<OauthTokenCall>> Create(EventLoop* loop, HttpClient* http, Options options);

  void Fetch(Done done) override;
  std::optional<uint64_t> CredentialsVersion() override;

 private:
  OauthTokenCall(EventLoop* loop, HttpClient* http, Options options);

  absl::StatusOr<Secret> ReadSecret();
  HttpRequest RequestWith(const std::string& secret) const;
  // `permit` is the gate's, or 0.
  void Send(const std::string& secret, CallGate::RequestId permit, Done done);

  EventLoop* const loop_;
  HttpClient* const http_;
  const Options options_;
  std::optional<SecretFile> secret_file_;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_OAUTH_TOKEN_CALL_H_
