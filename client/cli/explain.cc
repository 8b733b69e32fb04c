#include "client/cli/explain.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "taskwatch/client/rpc_status.h"

namespace taskwatch::client {
namespace {

struct Cause {
  // What gRPC or the TLS library says.
  absl::string_view symptom;
  absl::string_view explanation;
};

// The first that applies counts. SERVER stands for the address.
constexpr Cause kCauses[] = {
    {"Connection refused", "nothing listens on SERVER; is Taskwatch running, and is the port right?"},
    {"DNS resolution failed", "the host of SERVER is not known; is its name right?"},
    {"wrong version number", "SERVER does not speak TLS; leave out --tls and its files, or is the port another one?"},
    {"certificate verify failed",
     "the certificate of SERVER is not from a trusted authority; give its authority with --tls_ca_file"},
    {"is not in peer certificate",
     "the certificate of SERVER is for another name; use that name, or give it with --tls_server_name"},
    {"alert", "SERVER wants a certificate from us; give --tls_cert_file and --tls_key_file"},
    {"http1.x server", "SERVER is an HTTP/1 server, not Taskwatch; is the port another one?"},
    {"Failed parsing HTTP/2", "SERVER is not a gRPC server (HTTP/1, perhaps); is the port another one?"},
    {"http2 header with status: 502", "the proxy on SERVER does not reach Taskwatch; is Taskwatch running?"},
    {"http2 header with status: 503", "the proxy on SERVER does not reach Taskwatch; is Taskwatch running?"},
    {"http2 header with status: 504", "the proxy on SERVER got no answer from Taskwatch; is Taskwatch running?"},
    {"http2 header with status: 404", "SERVER is a web server, not Taskwatch; is the port another one?"},
    {"No route to host", "there is no way to SERVER; is the address right, or does a firewall stop it?"},
    {"Network is unreachable", "there is no way to SERVER; is this machine's network up?"},
    {"timed out", "SERVER does not answer; is the address right, or does a firewall stop it?"},
    {"failed to connect to all addresses; last error: UNAVAILABLE",
     "SERVER closes the connection at once; does it expect TLS (--tls)?"},
    {"Method not found", "SERVER is a gRPC server, but not Taskwatch; is the port another one?"},
    {"Socket closed", "the connection to SERVER was lost; is Taskwatch running?"},
    {"Connection reset", "the connection to SERVER was lost; is Taskwatch running, and does it expect TLS (--tls)?"},
};

struct Advice {
  absl::string_view reason;
  absl::string_view what_to_do;
};

constexpr Advice kAdvice[] = {
    {"INVALID_TASK_ID", "check the task id"},
    {"UPSTREAM_PARAM_ERROR", "check the task id"},
    {"TASK_NOT_FOUND", "check the task id"},
    {"UPSTREAM_SYSTEM_ERROR", "try again later"},
    {"UPSTREAM_MALFORMED_RESPONSE", "try again later"},
    {"UPSTREAM_UNKNOWN_ERROR", "try again later"},
    {"UPSTREAM_TIMEOUT", "try again later"},
    {"UPSTREAM_UNAVAILABLE", "try again later"},
    {"UPSTREAM_UNTRUSTED", "ask the operator of Taskwatch to look at its connection to DingTalk"},
    {"UPSTREAM_UNAUTHENTICATED", "ask the operator of Taskwatch to check its DingTalk credentials"},
    {"UPSTREAM_PERMISSION_DENIED", "ask the operator of Taskwatch to grant its DingTalk app the permission"},
    {"UPSTREAM_RATE_LIMITED", "try again in a moment"},
    {"MONTHLY_QUOTA_EXHAUSTED", "try again next month, or have DingTalk's quota raised"},
    {"UPSTREAM_IP_BANNED", "try again in some minutes"},
    {"TOO_MANY_WATCHERS", "watch fewer tasks at a time, or try again later"},
};

std::string OfConnection(const absl::Status& status, absl::string_view server) {
  for (const Cause& cause : kCauses) {
    if (!absl::StrContains(status.message(), cause.symptom)) continue;
    return absl::StrReplaceAll(cause.explanation, {{"SERVER", server}});
  }
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
      return absl::StrCat(server, " wants to know who calls; give a valid token with --token_file");
    case absl::StatusCode::kPermissionDenied:
      return absl::StrCat(server, " does not allow this caller to do that: ", status.message());
    case absl::StatusCode::kDeadlineExceeded:
      return absl::StrCat(server, " did not answer in time; is it reachable? Or give a longer --deadline");
    default:
      return absl::StrCat("the call to ", server, " failed: ", status.message(), " (",
                          absl::StatusCodeToString(status.code()), ")");
  }
}

}  // namespace

std::string Explain(const absl::Status& status, absl::string_view server) {
  const std::string reason = ErrorReasonOf(status);
  if (reason.empty()) return Printable(OfConnection(status, server));
  std::string line(status.message());
  for (const Advice& advice : kAdvice) {
    if (advice.reason == reason) absl::StrAppend(&line, "; ", advice.what_to_do);
  }
  const std::string request_id = UpstreamRequestIdOf(status);
  absl::StrAppend(&line, " [", reason, request_id.empty() ? "" : ", DingTalk's request id ", request_id, "]");
  return Printable(line);
}

std::string Printable(absl::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (!absl::ascii_isprint(c)) c = '?';
  }
  return result;
}

}  // namespace taskwatch::client
