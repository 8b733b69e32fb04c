// HTTP as this service needs it: one bounded request, one bounded answer.
#ifndef TASKWATCH_SERVICE_HTTP_HTTP_CLIENT_H_
#define TASKWATCH_SERVICE_HTTP_HTTP_CLIENT_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

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
  // The response headers that are wanted, by their names in lower case: a constant, or whatever outlives the request.
  absl::Span<const absl::string_view> response_headers;
  // From the start of the request to the last byte of the answer, connecting included.
  absl::Duration timeout = absl::Seconds(5);
};

struct HttpResponse {
  int status = 0;
  std::string body;
  // Of the wanted headers those that came, by their names in lower case.
  std::vector<std::pair<std::string, std::string>> headers;

  // The value of the wanted header `name`, which is in lower case; empty if it did not come. Of several the last
  // counts.
  absl::string_view Header(absl::string_view name) const {
    for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
      if (header->first == name) return header->second;
    }
    return "";
  }
};

// Sends requests to one base URL. Lives on the event loop's thread, as do its callbacks.
class HttpClient {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<HttpResponse>)>;

  virtual ~HttpClient() = default;

  // Calls `done` exactly once and never before Send returns, unless the client is destroyed first: then not at all.
  // Any HTTP status is an answer. What keeps an answer from coming is an error with ErrorDetails: kUpstreamTimeout,
  // kUpstreamUnavailable (cannot connect, connection broken), kUpstreamUntrusted (the peer's certificate does not prove
  // that it is the one asked, so nothing was sent) or kUpstreamMalformedResponse (not HTTP, or a body beyond the
  // limit). libcurl's own words, which name hosts and files, are in `log_detail`. Only a client that does not work at
  // all, since its library refuses what it is told, gives INTERNAL without details. Redirects are answers like any
  // other.
  virtual void Send(HttpRequest request, Done done) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_HTTP_CLIENT_H_
