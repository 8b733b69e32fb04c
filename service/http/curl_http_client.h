// HttpClient on libcurl's multi interface.
#ifndef TASKWATCH_SERVICE_HTTP_CURL_HTTP_CLIENT_H_
#define TASKWATCH_SERVICE_HTTP_CURL_HTTP_CLIENT_H_

#include <curl/curl.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

#include "service/http/curl_event_loop.h"
#include "service/http/http_client.h"
#include "service/runtime/lifetime.h"

namespace taskwatch {

// Keeps connections alive and verifies TLS. Surprises are shut out: no redirect is followed (it would carry the token
// to another host), no proxy is taken from the environment, no .netrc is read, and no encoding is accepted whose size
// is known only after decoding. A body or header beyond the limit breaks the transfer off. Should libcurl refuse any of
// this, nothing is sent at all: every request fails with INTERNAL, and the log says once which option it was.
//
// Lives on the loop's thread. Destroying it breaks off its transfers.
class CurlHttpClient final : public HttpClient {
 public:
  struct Options {
    // Scheme, host, port and possibly a path: "https://api.dingtalk.io". No trailing slash.
    std::string base_url;
    // Certificate authorities to trust (PEM); empty: the system's.
    std::string ca_file;
    // Largest body, and largest sum of headers, in bytes.
    size_t max_bytes = 64 * 1024;
    // Requests under way at a time; later ones wait their turn, which counts against their timeout.
    size_t max_active = 64;
    // The schemes that may be spoken, as CURLOPT_PROTOCOLS_STR has it.
    std::string protocols = "http,https";
  };

  CurlHttpClient(CurlEventLoop* loop, Options options);
  ~CurlHttpClient() override;

  void Send(HttpRequest request, Done done) override;

 private:
  class Transfer;
  struct Waiting {
    HttpRequest request;
    Done done;
    absl::Time since;
  };

  void Begin(HttpRequest request, Done done);
  // Begins requests that waited, or fails those that have waited for too long.
  void BeginWaiting();
  void Finish(Transfer* transfer, CURLcode result);

  CurlEventLoop* const loop_;
  const Options options_;
  absl::flat_hash_map<Transfer*, std::unique_ptr<Transfer>> active_;
  std::deque<Waiting> waiting_;
  // Handles that have been used keep their allocations and TLS sessions.
  std::vector<std::unique_ptr<Transfer>> idle_;
  bool setup_error_logged_ = false;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_CURL_HTTP_CLIENT_H_
