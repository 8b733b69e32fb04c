// What DingTalk's refusals mean: the one place that turns an HTTP answer into an error.
#ifndef TASKWATCH_SERVICE_DINGTALK_ERROR_TABLE_H_
#define TASKWATCH_SERVICE_DINGTALK_ERROR_TABLE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "service/http/http_client.h"

namespace taskwatch {

// The response headers that are read here: requests name them in `response_headers`.
inline constexpr absl::string_view kErrorHeaders[] = {"x-acs-request-id", "retry-after"};

// OK if `response` is a 200 that may be read as a success; else why it is not one, as the task call's documentation and
// the gateway's behaviour have it. A rate limit arrives as 403, so the `code` in the body counts before the HTTP
// status. A web page with 200 or 4xx (but for 408 and 425, of which any proxy on the way makes a page), and the
// gateway's punishment with any status, mean that this host's address is banned.
//
// The error carries ErrorDetails with the HTTP status, the code and the request id (of the body, else of the header).
// kPaused and kTransient errors name in `retry_after` when to come back, where that is known; the answer's own
// Retry-After counts more than the table's, between 1 s and 5 min. 408, 425, 429 and 5xx pass (kTransient); any other
// 4xx that is not known may pass or not (kDoubtful). Two things are left to the caller, which knows more:
// - kMonthlyQuotaExhausted has no `retry_after`: it depends on the clock (billing_month.h);
// - kUpstreamUnauthenticated may only mean that the access token has expired: try once with a new one.
//
// `secret` is what the request carried (a token, an app secret); where the answer repeats it, the error does not. Other
// texts of the answer appear in the message, made printable and cut short. Pure.
absl::Status ErrorOf(const HttpResponse& response, absl::string_view secret = "");

// `error`, which was found in the body of `response`, with the HTTP status and the request id added to its details.
absl::Status WithOrigin(const absl::Status& error, const HttpResponse& response, absl::string_view secret);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_ERROR_TABLE_H_
