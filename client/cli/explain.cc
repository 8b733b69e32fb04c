#include "client/cli/explain.h"

#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "taskwatch/client/rpc_status.h"

#include "client/cli/printable.h"
#include "client/cli/proxy.h"

namespace taskwatch::client {
namespace {

struct Cause {
  // What gRPC or the TLS library says.
  absl::string_view symptom;
  absl::string_view explanation;
};

// The first that applies counts. SERVER stands for the address.
constexpr Cause kCauses[] = {
    {"connected before, but not now", "SERVER was there, but cannot be reached now; is Taskwatch running?"},
    {"neither UDS or TCP loopback", "SERVER is not on this machine, as its name says; give its real address"},
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
  absl::string_view when;
};

// WHEN stands for the delay that the service asks for, or for `when` if it asks for none.
constexpr Advice kAdvice[] = {
    {"INVALID_TASK_ID", "check the task id", ""},
    {"UPSTREAM_PARAM_ERROR", "check the task id", ""},
    {"TASK_NOT_FOUND", "check the task id", ""},
    {"UPSTREAM_SYSTEM_ERROR", "try again WHEN", "later"},
    {"UPSTREAM_MALFORMED_RESPONSE", "try again WHEN", "later"},
    {"UPSTREAM_UNKNOWN_ERROR", "try again WHEN", "later"},
    {"UPSTREAM_TIMEOUT", "try again WHEN", "later"},
    {"UPSTREAM_UNAVAILABLE", "try again WHEN", "later"},
    {"UPSTREAM_UNTRUSTED", "ask the operator of Taskwatch to look at DingTalk's certificate and what it trusts", ""},
    {"UPSTREAM_UNAUTHENTICATED", "ask the operator of Taskwatch to check its DingTalk credentials", ""},
    {"UPSTREAM_PERMISSION_DENIED", "ask the operator of Taskwatch to grant its DingTalk app the permission", ""},
    {"UPSTREAM_RATE_LIMITED", "try again WHEN", "in a moment"},
    {"MONTHLY_QUOTA_EXHAUSTED", "try again WHEN, or have DingTalk's quota raised", "next month"},
    {"POLL_DEFERRED", "DingTalk is asked again WHEN, to save the month's calls", "later"},
    {"UPSTREAM_IP_BANNED", "try again WHEN", "in some minutes"},
    {"TOO_MANY_WATCHERS", "watch fewer tasks at a time, or try again WHEN", "later"},
    {"TOO_MANY_CALLS", "make fewer calls at a time, or try again WHEN", "in a moment"},
    {"SERVER_DRAINING", "try again WHEN", "in a moment"},
    {"STREAM_ROTATED", "try again WHEN", "in a moment"},
};

// "in 5 s", "in 12 min", "in 3 h" or "in 5 days"; never sooner than the delay.
std::string In(absl::Duration delay) {
  const int64_t seconds = absl::ToInt64Seconds(absl::Ceil(delay, absl::Seconds(1)));
  const auto in = [seconds](int64_t unit, absl::string_view name) {
    return absl::StrCat("in ", (seconds + unit - 1) / unit, " ", name);
  };
  if (seconds < 120) return in(1, "s");
  if (seconds < 120 * 60) return in(60, "min");
  if (seconds < 48 * 3600) return in(3600, "h");
  return in(24 * 3600, "days");
}

std::string Told(const Advice& advice, const absl::Status& status) {
  const std::optional<absl::Duration> delay = RetryDelayOf(status);
  const bool has_delay = delay.has_value() && *delay > absl::ZeroDuration();
  return absl::StrReplaceAll(advice.what_to_do, {{"WHEN", has_delay ? In(*delay) : std::string(advice.when)}});
}

// gRPC names the proxy's address, not the server's, in what it says of a connection that it could not make.
std::string OfProxy(const absl::Status& status, const Proxy& proxy, absl::string_view server) {
  absl::string_view cause = status.message();
  if (const size_t last = cause.find("last error: "); last != absl::string_view::npos) cause.remove_prefix(last + 12);
  return absl::StrCat("there is no way to ", server, " through the proxy ", proxy.address, ", which ", proxy.variable,
                      " in the environment names: ", cause, "; is it right? no_proxy exempts hosts from it");
}

std::string OfConnection(const absl::Status& status, absl::string_view server) {
  const std::optional<Proxy> proxy = ProxyTo(server);
  if (proxy.has_value() && NeverConnected(status)) return OfProxy(status, *proxy, server);
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
    if (advice.reason == reason) absl::StrAppend(&line, "; ", Told(advice, status));
  }
  const std::string request_id = UpstreamRequestIdOf(status);
  absl::StrAppend(&line, " [", reason, request_id.empty() ? "" : ", DingTalk's request id ", request_id, "]");
  return Printable(line);
}

bool IsRoutine(const absl::Status& status) {
  const std::string reason = ErrorReasonOf(status);
  return reason == "STREAM_ROTATED" || reason == "SERVER_DRAINING";
}

bool NeverConnected(const absl::Status& status) {
  // Had there been a connection before, the client library would say so first.
  return absl::StartsWith(status.message(), "failed to connect to all addresses") ||
         absl::StartsWith(status.message(), "DNS resolution failed");
}

}  // namespace taskwatch::client
