// HTTP as this service needs it: one bounded request, one bounded answer.
#ifndef TASKWATCH_SERVICE_HTTP_HTTP_CLIENT_H_
#define TASKWATCH_SERVICE_HTTP_HTTP_CLIENT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace taskwatch {

struct HttpRequest {
  enum class Method { kGet, kPost };

  Method method = Method::kGet;
  // "/v2.0/...", appended to the client's base URL; must be escaped already.
  std::string path;
  // Names and values must hold no control characters.
  std::vector<std::pair<std::string, std::string>> headers;
  // Sent with POST only, as `content-type: application/json`.
  std::string body;
  // From the start of the request to the last byte of the answer, connecting included.
  absl::Duration timeout = absl::Seconds(5);
};

struct HttpResponse {
  int status = 0;
  std::string body;
  // The header `x-acs-request-id`, or empty.
  std::string request_id;
  // The header `retry-after` in its form of whole seconds, or zero.
  absl::Duration retry_after = absl::ZeroDuration();
};

// Sends requests to one base URL. Lives on the event loop's thread, as do its callbacks.
class HttpClient {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<HttpResponse>)>;

  virtual ~HttpClient() = default;

  // Calls `done` exactly once and never before Send returns, unless the client is destroyed first: then not at all.
  // Any HTTP status is an answer. What keeps an answer from coming is an error with ErrorDetails: kUpstreamTimeout,
  // kUpstreamUnavailable (cannot connect, connection broken, certificate not trusted) or kUpstreamMalformedResponse
  // (not HTTP, or a body beyond the limit). Redirects are answers like any other.
  virtual void Send(HttpRequest request, Done done) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_HTTP_CLIENT_H_
