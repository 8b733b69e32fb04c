#include "service/dingtalk/tokens/oauth_token_call.h"

#include <algorithm>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

#include "service/dingtalk/error_table.h"
#include "service/dingtalk/tokens/token_answer.h"
#include "service/quota/billing_month.h"
#include "service/runtime/post_answer.h"
#include "service/secrets/secret_text.h"
#include "service/task/priority.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// Whether `corp_id` can stand in a path as it is.
bool IsPathSegment(absl::string_view corp_id) {
  return corp_id.size() <= 128 && std::all_of(corp_id.begin(), corp_id.end(),
                                              [](char c) { return absl::ascii_isalnum(c) || c == '_' || c == '-'; });
}

// `error`; if it says that the month is used up, with when to ask again.
absl::Status WithMonthsEnd(const absl::Status& error, absl::Time now) {
  ErrorDetails details = DetailsOf(error);
  if (details.reason != ErrorReason::kMonthlyQuotaExhausted || details.retry_after.has_value()) return error;
  details.retry_after = RetryAfterMonthlyRefusal(now);
  return MakeError(details, error.message());
}

}  // namespace

absl::StatusOr<std::unique_ptr<OauthTokenCall>> OauthTokenCall::Create(EventLoop* loop, HttpClient* http,
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
  return absl::WrapUnique(new OauthTokenCall(loop, http, std::move(options)));
}

OauthTokenCall::OauthTokenCall(EventLoop* loop, HttpClient* http, Options options)
    : loop_(loop), http_(http), options_(std::move(options)) {
  if (!options_.app_secret_file.empty()) secret_file_.emplace(options_.app_secret_file);
}

void OauthTokenCall::Fetch(Done done) {
  absl::StatusOr<Secret> secret = ReadSecret();
  if (!secret.ok()) return PostAnswer(loop_, lifetime_, std::move(done), secret.status());
  if (options_.gate == nullptr || options_.corp_id.empty()) return Send(secret->value, 0, std::move(done));
  CallRequest request;
  request.priority = Priority::kToken;
  const auto id = std::make_shared<CallGate::RequestId>();
  *id = options_.gate->Acquire(std::move(request),
                               lifetime_.Guard([this, id, secret = std::move(secret->value),
                                                done = std::move(done)](const absl::Status& permit) mutable {
                                 permit.ok() ? Send(secret, *id, std::move(done)) : done(permit);
                               }));
}

std::optional<uint64_t> OauthTokenCall::CredentialsVersion() {
  const absl::StatusOr<Secret> secret = ReadSecret();
  if (!secret.ok()) return std::nullopt;
  return secret->version;
}

absl::StatusOr<Secret> OauthTokenCall::ReadSecret() {
  if (secret_file_.has_value()) return secret_file_->Read();
  return Secret{options_.app_secret, 0};
}

HttpRequest OauthTokenCall::RequestWith(const std::string& secret) const {
  HttpRequest request;
  request.method = HttpRequest::Method::kPost;
  request.response_headers = kErrorHeaders;
  request.timeout = options_.timeout;
  // All values are ASCII, so writing them cannot fail.
  if (options_.corp_id.empty()) {
    request.path = "/v1.0/oauth2/accessToken";
    request.body = nlohmann::json{{"appKey", options_.app_key}, {"appSecret", secret}}.dump();
  } else {
    request.path = absl::StrCat("/v1.0/oauth2/", options_.corp_id, "/token");
    request.body =
        nlohmann::json{
            {"client_id", options_.app_key},
            {"client_secret", secret},
            {"grant_type", "client_credentials"},
        }
            .dump();
  }
  return request;
}

void OauthTokenCall::Send(const std::string& secret, CallGate::RequestId permit, Done done) {
  http_->Send(RequestWith(secret), lifetime_.Guard([this, secret, permit, done = std::move(done)](
                                                       const absl::StatusOr<HttpResponse>& response) mutable {
    absl::StatusOr<IssuedToken> issued = response.ok() ? IssuedTokenIn(*response, secret) : response.status();
    if (!issued.ok()) issued = WithMonthsEnd(issued.status(), loop_->Now());
    if (permit != 0) options_.gate->Report(permit, issued.status());
    done(std::move(issued));
  }));
}

}  // namespace taskwatch
