#include "service/http/curl_http_client.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"

#include "service/runtime/post_answer.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// What to do about `result` if it says that the peer cannot be trusted; else empty.
absl::string_view TrustAdvice(CURLcode result) {
  switch (result) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
      return "name the authority that vouches for it in --dingtalk_ca_file, or find out what stands between this host "
             "and DingTalk";
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
      return "the authorities to trust cannot be read: check --dingtalk_ca_file, or the system's package "
             "ca-certificates";
    default:
      return "";
  }
}

// The error of a transfer that has ended with `result`; `detail` is what libcurl says of it.
absl::Status TransferError(CURLcode result, absl::string_view detail, bool too_large) {
  ErrorDetails details;
  details.persistence = Persistence::kTransient;
  if (too_large) {
    details.reason = ErrorReason::kUpstreamMalformedResponse;
    return MakeError(details, "DingTalk's answer is larger than any task's state; it was not read");
  }
  details.log_detail = std::string(detail);
  const absl::string_view advice = TrustAdvice(result);
  if (!advice.empty()) {
    details.reason = ErrorReason::kUpstreamUntrusted;
    details.retry_after = absl::Seconds(1);
    absl::StrAppend(&details.log_detail, "; ", advice);
    return MakeError(details, "DingTalk's certificate is not trusted, so nothing was sent to it");
  }
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      details.reason = ErrorReason::kUpstreamTimeout;
      details.retry_after = absl::Seconds(1);
      return MakeError(details, "DingTalk did not answer in time");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // What libcurl calls an answer without a status line (HTTP/0.9).
      details.reason = ErrorReason::kUpstreamMalformedResponse;
      return MakeError(details, "DingTalk's answer is not HTTP");
    default:
      details.reason = ErrorReason::kUpstreamUnavailable;
      details.retry_after = absl::Seconds(1);
      return MakeError(details, "DingTalk could not be reached");
  }
}

// `line` is "Name: value". Its value without white space around it if the name is `name`, which is in lower case.
std::optional<absl::string_view> ValueOf(absl::string_view line, absl::string_view name) {
  if (!absl::StartsWithIgnoreCase(line, name)) return std::nullopt;
  line.remove_prefix(name.size());
  if (!absl::ConsumePrefix(&line, ":")) return std::nullopt;
  return absl::StripAsciiWhitespace(line);
}

}  // namespace

// One request under way, and the libcurl handle that performs it.
class CurlHttpClient::Transfer {
 public:
  explicit Transfer(const Options& options) : options_(options), easy_(curl_easy_init()) {
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_PROTOCOLS_STR, options.protocols.c_str());
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    Set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    Set(CURLOPT_PATH_AS_IS, 1L);
    Set(CURLOPT_HTTP09_ALLOWED, 0L);
    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options.ca_file.empty()) {
      Set(CURLOPT_CAINFO, options.ca_file.c_str());
      // Else the system's folder would be trusted as well.
      Set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    }
    // The authorities are read once for connections that are made together; a file that was corrected is taken up.
    Set(CURLOPT_CA_CACHE_TIMEOUT, 5L);
    Set(CURLOPT_TCP_KEEPALIVE, 1L);
    Set(CURLOPT_USERAGENT, "taskwatch");
    // An answer is a few hundred bytes, read into a buffer that libcurl allocates for each; the default is 16 KiB.
    Set(CURLOPT_BUFFERSIZE, 1024L);
    Set(CURLOPT_ERRORBUFFER, error_);
    Set(CURLOPT_WRITEFUNCTION, &Transfer::OnBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_HEADERFUNCTION, &Transfer::OnHeader);
    Set(CURLOPT_HEADERDATA, this);
  }

  // Describes `request` to libcurl. An error if libcurl refuses anything of it, or has refused anything before: it is
  // not to be performed then.
  absl::Status Prepare(HttpRequest request, Done done) {
    done_ = std::move(done);
    wanted_headers_ = request.response_headers;
    body_ = std::move(request.body);
    response_ = HttpResponse();
    header_bytes_ = 0;
    too_large_ = false;
    error_[0] = '\0';

    Set(CURLOPT_URL, absl::StrCat(options_.base_url, request.path).c_str());
    Set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(request.timeout)));
    AddHeader("accept: application/json");
    for (const auto& [name, value] : request.headers) AddHeader(absl::StrCat(name, ": ", value).c_str());
    if (request.method == HttpRequest::Method::kPost) {
      AddHeader("content-type: application/json");
      // Without this libcurl asks for permission first (100-continue) when a body is long.
      AddHeader("expect:");
      Set(CURLOPT_POST, 1L);
      Set(CURLOPT_POSTFIELDS, body_.data());
      Set(CURLOPT_POSTFIELDSIZE, static_cast<long>(body_.size()));
    } else {
      Set(CURLOPT_HTTPGET, 1L);
    }
    Set(CURLOPT_HTTPHEADER, headers_.get());
    return setup_;
  }

  CURL* easy() const { return easy_.get(); }

  // What came of it. The request's headers and body, which may hold secrets, are forgotten.
  absl::StatusOr<HttpResponse> TakeResult(CURLcode result) {
    Set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
    headers_.reset();
    body_.clear();
    if (result != CURLE_OK) {
      return TransferError(result, error_[0] != '\0' ? error_ : curl_easy_strerror(result), too_large_);
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return std::move(response_);
  }

  Done TakeDone() { return std::move(done_); }

 private:
  struct EasyDeleter {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };
  struct ListDeleter {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  // Sets an option of the handle. Each is a guard, or what is asked for: none may be missing.
  template <typename Value>
  void Set(CURLoption option, Value value) {
    const CURLcode result = curl_easy_setopt(easy_.get(), option, value);
    if (result == CURLE_OK || !setup_.ok()) return;
    const curl_easyoption* const known = curl_easy_option_by_id(option);
    setup_ = absl::InternalError(absl::StrCat(
        "cannot call DingTalk: libcurl ", curl_version_info(CURLVERSION_NOW)->version, " refuses option ",
        known == nullptr ? "" : known->name, " (", static_cast<int>(option), "): ", curl_easy_strerror(result)));
  }

  void AddHeader(const char* header) {
    curl_slist* const list = curl_slist_append(headers_.get(), header);
    if (list == nullptr) {
      setup_ = absl::InternalError("cannot call DingTalk: no memory for a header");
      return;
    }
    headers_.release();
    headers_.reset(list);
  }

  static size_t OnBody(const char* bytes, size_t, size_t count, void* self) {
    auto* const transfer = static_cast<Transfer*>(self);
    std::string& body = transfer->response_.body;
    if (body.size() + count > transfer->options_.max_bytes) {
      transfer->too_large_ = true;
      return 0;
    }
    body.append(bytes, count);
    return count;
  }

  static size_t OnHeader(const char* bytes, size_t, size_t count, void* self) {
    auto* const transfer = static_cast<Transfer*>(self);
    transfer->header_bytes_ += count;
    if (transfer->header_bytes_ > transfer->options_.max_bytes) {
      transfer->too_large_ = true;
      return 0;
    }
    const absl::string_view line(bytes, count);
    for (const absl::string_view name : transfer->wanted_headers_) {
      if (const std::optional<absl::string_view> value = ValueOf(line, name)) {
        transfer->response_.headers.emplace_back(name, *value);
      }
    }
    return count;
  }

  const Options& options_;
  const std::unique_ptr<CURL, EasyDeleter> easy_;
  // OK, or the first thing that libcurl has refused.
  absl::Status setup_;
  std::unique_ptr<curl_slist, ListDeleter> headers_;
  std::string body_;
  absl::Span<const absl::string_view> wanted_headers_;
  HttpResponse response_;
  size_t header_bytes_ = 0;
  bool too_large_ = false;
  Done done_;
  char error_[CURL_ERROR_SIZE] = {};
};

CurlHttpClient::CurlHttpClient(CurlEventLoop* loop, Options options) : loop_(loop), options_(std::move(options)) {}

CurlHttpClient::~CurlHttpClient() {
  for (const auto& [transfer, owner] : active_) loop_->CancelTransfer(transfer->easy());
}

void CurlHttpClient::Send(HttpRequest request, Done done) {
  if (active_.size() < options_.max_active) return Begin(std::move(request), std::move(done));
  waiting_.push_back({std::move(request), std::move(done), loop_->Now()});
}

void CurlHttpClient::BeginWaiting() {
  while (!waiting_.empty() && active_.size() < options_.max_active) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    // A clock that was set back tells nothing of how long it has waited.
    next.request.timeout -= std::max(loop_->Now() - next.since, absl::ZeroDuration());
    if (next.request.timeout > absl::ZeroDuration()) {
      Begin(std::move(next.request), std::move(next.done));
    } else {
      PostAnswer(loop_, lifetime_, std::move(next.done),
                 TransferError(CURLE_OPERATION_TIMEDOUT, "too many requests are under way", false));
    }
  }
}

void CurlHttpClient::Begin(HttpRequest request, Done done) {
  std::unique_ptr<Transfer> owner;
  if (idle_.empty()) {
    owner = std::make_unique<Transfer>(options_);
  } else {
    owner = std::move(idle_.back());
    idle_.pop_back();
  }
  Transfer* const transfer = owner.get();
  if (const absl::Status setup = transfer->Prepare(std::move(request), std::move(done)); !setup.ok()) {
    if (!std::exchange(setup_error_logged_, true)) spdlog::error("http: {}", std::string(setup.message()));
    return PostAnswer(loop_, lifetime_, transfer->TakeDone(), setup);
  }
  active_[transfer] = std::move(owner);
  loop_->StartTransfer(transfer->easy(), [this, transfer](CURLcode result) { Finish(transfer, result); });
}

void CurlHttpClient::Finish(Transfer* transfer, CURLcode result) {
  absl::StatusOr<HttpResponse> response = transfer->TakeResult(result);
  Done done = transfer->TakeDone();
  auto owner = active_.extract(transfer);
  idle_.push_back(std::move(owner.mapped()));
  // Posted, because `done` comes first and may destroy this client.
  if (!waiting_.empty()) loop_->Post(lifetime_.Guard([this] { BeginWaiting(); }));
  done(std::move(response));
}

}  // namespace taskwatch
