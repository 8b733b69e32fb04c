#include "service/http/curl_transfer.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// No call takes nearly as long, and libcurl counts in an int.
constexpr absl::Duration kLongestTimeout = absl::Hours(24);

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
      return NoAnswerInTime(detail);
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

// What libcurl is told: whole milliseconds, rounded up, as it takes 0 for no timeout at all.
long TimeoutMilliseconds(absl::Duration timeout) {
  const absl::Duration bounded = std::clamp(timeout, absl::Milliseconds(1), kLongestTimeout);
  return static_cast<long>(absl::ToInt64Milliseconds(absl::Ceil(bounded, absl::Milliseconds(1))));
}

}  // namespace

template <typename Value>
void CurlTransfer::Set(CURLoption option, Value value) {
  const CURLcode result = curl_easy_setopt(easy_.get(), option, value);
  if (result == CURLE_OK || !setup_.ok()) return;
  const curl_easyoption* const known = curl_easy_option_by_id(option);
  setup_ = absl::InternalError(absl::StrCat(
      "cannot call DingTalk: libcurl ", curl_version_info(CURLVERSION_NOW)->version, " refuses option ",
      known == nullptr ? "" : known->name, " (", static_cast<int>(option), "): ", curl_easy_strerror(result)));
}

CurlTransfer::CurlTransfer(const Options& options) : options_(options), easy_(curl_easy_init()) {
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
  Set(CURLOPT_WRITEFUNCTION, &CurlTransfer::OnBody);
  Set(CURLOPT_WRITEDATA, this);
  Set(CURLOPT_HEADERFUNCTION, &CurlTransfer::OnHeader);
  Set(CURLOPT_HEADERDATA, this);
}

absl::Status CurlTransfer::Prepare(HttpRequest request, HttpClient::Done done) {
  done_ = std::move(done);
  wanted_headers_ = request.response_headers;
  timeout_ = request.timeout;
  body_ = std::move(request.body);
  response_ = HttpResponse();
  header_bytes_ = 0;
  too_large_ = false;
  error_[0] = '\0';

  Set(CURLOPT_URL, absl::StrCat(options_.base_url, request.path).c_str());
  Set(CURLOPT_TIMEOUT_MS, TimeoutMilliseconds(request.timeout));
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

absl::StatusOr<HttpResponse> CurlTransfer::TakeResult(CURLcode result) {
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

void CurlTransfer::AddHeader(const char* header) {
  curl_slist* const list = curl_slist_append(headers_.get(), header);
  if (list == nullptr) {
    setup_ = absl::InternalError("cannot call DingTalk: no memory for a header");
    return;
  }
  headers_.release();
  headers_.reset(list);
}

size_t CurlTransfer::OnBody(const char* bytes, size_t, size_t count, void* self) {
  auto* const transfer = static_cast<CurlTransfer*>(self);
  std::string& body = transfer->response_.body;
  if (body.size() + count > transfer->options_.max_bytes) {
    transfer->too_large_ = true;
    return 0;
  }
  body.append(bytes, count);
  return count;
}

size_t CurlTransfer::OnHeader(const char* bytes, size_t, size_t count, void* self) {
  auto* const transfer = static_cast<CurlTransfer*>(self);
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

absl::Status NoAnswerInTime(absl::string_view log_detail) {
  ErrorDetails details;
  details.reason = ErrorReason::kUpstreamTimeout;
  details.persistence = Persistence::kTransient;
  details.retry_after = absl::Seconds(1);
  details.log_detail = std::string(log_detail);
  return MakeError(details, "DingTalk did not answer in time");
}

}  // namespace taskwatch
