// Reads what DingTalk answers to a request for an access token.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_TOKEN_ANSWER_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_TOKEN_ANSWER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/dingtalk/tokens/token_source.h"
#include "service/http/http_client.h"

namespace taskwatch {

// The token in `response`: {"accessToken","expireIn"} or {"access_token","expires_in"}, seconds as a number or a
// string.
//
// A refusal is an error as ErrorOf gives it (error_table.h), except where that speaks of a task or of a token: what the
// documentation says of a wrong key or secret, and everything that suggests that the call went to the wrong place, is
// kUpstreamUnauthenticated, kPermanent, and its `log_detail` names the settings to check. A 200 without a usable token
// and lifetime is kUpstreamMalformedResponse, kTransient; nothing of it is quoted. `app_secret` was sent with the
// request and appears in no message. Pure.
absl::StatusOr<IssuedToken> IssuedTokenIn(const HttpResponse& response, absl::string_view app_secret);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_TOKEN_ANSWER_H_
