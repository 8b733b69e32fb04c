// One HTTP request under way, and the libcurl handle that performs it.
#ifndef TASKWATCH_SERVICE_HTTP_CURL_TRANSFER_H_
#define TASKWATCH_SERVICE_HTTP_CURL_TRANSFER_H_

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

#include "service/http/http_client.h"

namespace taskwatch {

// Shuts surprises out: no redirect is followed (it would carry the token to another host), no proxy is taken from the
// environment, no .netrc is read, and no encoding is accepted whose size is known only after decoding. A body or header
// beyond the limit breaks the transfer off. Verifies TLS.
//
// Is used again and again, which keeps its allocations and TLS sessions: Prepare, perform easy(), TakeResult.
class CurlTransfer {
 public:
  struct Options {
    // Scheme, host, port and possibly a path: "https://api.dingtalk.io". No trailing slash.
    std::string base_url;
    // Certificate authorities to trust (PEM), and no others; empty: the system's.
    std::string ca_file;
    // Largest body, and largest sum of headers, in bytes.
    size_t max_bytes = 64 * 1024;
    // The schemes that may be spoken, as CURLOPT_PROTOCOLS_STR has it.
    std::string protocols = "http,https";
  };

  // `options` must outlive it.
  explicit CurlTransfer(const Options& options);
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Describes `request` to libcurl, with `done` kept for TakeDone. Every transfer has a timeout: less than a
  // millisecond counts as one, since libcurl takes 0 for none. An error if libcurl refuses anything of it, or has
  // refused anything before: it is not to be performed then.
  absl::Status Prepare(HttpRequest request, HttpClient::Done done);

  CURL* easy() const { return easy_.get(); }
  // As the request has it.
  absl::Duration timeout() const { return timeout_; }

  // What came of it. The request's headers and body, which may hold secrets, are forgotten.
  absl::StatusOr<HttpResponse> TakeResult(CURLcode result);

  HttpClient::Done TakeDone() { return std::move(done_); }

 private:
  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  // Sets an option of the handle. Each is a guard, or what is asked for: none may be missing.
  template <typename Value>
  void Set(CURLoption option, Value value);
  void AddHeader(const char* header);

  static size_t OnBody(const char* bytes, size_t, size_t count, void* self);
  static size_t OnHeader(const char* bytes, size_t, size_t count, void* self);

  const Options& options_;
  const std::unique_ptr<CURL, EasyDeleter> easy_;
  // OK, or the first thing that libcurl has refused.
  absl::Status setup_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  std::string body_;
  absl::Span<const absl::string_view> wanted_headers_;
  absl::Duration timeout_;
  HttpResponse response_;
  size_t header_bytes_ = 0;
  bool too_large_ = false;
  HttpClient::Done done_;
  char error_[CURL_ERROR_SIZE] = {};
};

// The error of a request that was not answered in time; `log_detail` as in ErrorDetails.
absl::Status NoAnswerInTime(absl::string_view log_detail);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_HTTP_CURL_TRANSFER_H_
