#include "service/dingtalk/tokens/token_answer.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/dingtalk/error_table.h"
#include "service/secrets/secret_text.h"
#include "service/task/task_error.h"
#include "service/text/json_value.h"

namespace taskwatch {
namespace {

// DingTalk's codes for credentials that are wrong, of both token calls.
constexpr absl::string_view kCredentialCodes[] = {"invalidClientIdOrSecret", "invalid.client", "unauthorized.client",
                                                  "unsupported.grant.type"};

bool IsCredentialCode(absl::string_view code) {
  for (const absl::string_view known : kCredentialCodes) {
    if (absl::EqualsIgnoreCase(code, known)) return true;
  }
  return false;
}

absl::Status RefusalIn(const HttpResponse& response, absl::string_view app_secret) {
  const absl::Status error = ErrorOf(response, app_secret);
  if (error.ok()) return error;
  ErrorDetails details = DetailsOf(error);
  const auto unauthenticated = [&](absl::string_view advice) {
    details.reason = ErrorReason::kUpstreamUnauthenticated;
    details.persistence = Persistence::kPermanent;
    details.retry_after.reset();
    details.log_detail = std::string(advice);
    return MakeError(details, absl::StrCat("DingTalk issues no access token to this server (HTTP ", details.http_status,
                                           details.upstream_code.empty() ? "" : ", ", details.upstream_code, ")"));
  };
  const bool refused = 400 <= response.status && response.status <= 499;
  if (details.reason == ErrorReason::kUpstreamUnauthenticated || (refused && IsCredentialCode(details.upstream_code))) {
    return unauthenticated("check --app_key and --app_secret_file (and --corp_id, if it is set)");
  }
  if (details.reason == ErrorReason::kTaskNotFound || details.reason == ErrorReason::kUpstreamParamError) {
    return unauthenticated(
        "check --dingtalk_base_url, which does not seem to lead to DingTalk (and --corp_id, if set)");
  }
  return MakeError(details, absl::StrCat("cannot get an access token: ", error.message()));
}

absl::Status Malformed(absl::string_view what) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamMalformedResponse;
  details.persistence = Persistence::kTransient;
  return MakeError(details, absl::StrCat("DingTalk's answer holds no usable access token: ", what));
}

const JsonValue* FindEither(const JsonValue& answer, absl::string_view name, absl::string_view other_name) {
  const JsonValue* value = answer.Find(name);
  return value != nullptr ? value : answer.Find(other_name);
}

absl::StatusOr<IssuedToken> ParseIssuedToken(absl::string_view body) {
  const absl::StatusOr<JsonValue> answer = ParseJson(body);
  if (!answer.ok()) return Malformed(answer.status().message());
  const JsonValue* token = FindEither(*answer, "accessToken", "access_token");
  if (token == nullptr || token->kind != JsonValue::Kind::kString) return Malformed("no token is in it");
  if (!IsSecretText(token->text)) return Malformed("the token cannot stand in a header");
  const JsonValue* lifetime = FindEither(*answer, "expireIn", "expires_in");
  const std::optional<int64_t> seconds = lifetime == nullptr ? std::nullopt : lifetime->AsInteger();
  if (seconds.value_or(0) <= 0) return Malformed("the token's lifetime is not a number of seconds");
  return IssuedToken{token->text, absl::Seconds(*seconds)};
}

}  // namespace

absl::StatusOr<IssuedToken> IssuedTokenIn(const HttpResponse& response, absl::string_view app_secret) {
  if (absl::Status refusal = RefusalIn(response, app_secret); !refusal.ok()) return refusal;
  absl::StatusOr<IssuedToken> issued = ParseIssuedToken(response.body);
  if (!issued.ok()) return WithOrigin(issued.status(), response, app_secret);
  return issued;
}

}  // namespace taskwatch
