#include "client/internal/server_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace taskwatch::client {
namespace {

constexpr int kDefaultPort = 50051;

bool IsLoopback(const std::string& host) {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  in_addr v4 = {};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
  in6_addr v6 = {};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && std::memcmp(&v6, &in6addr_loopback, sizeof(v6)) == 0;
}

bool IsPort(absl::string_view text) {
  int port = 0;
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit) && absl::SimpleAtoi(text, &port) &&
         port > 0 && port <= 65535;
}

absl::Status NoPort(absl::string_view server, absl::string_view host) {
  return absl::InvalidArgumentError(absl::StrCat("the server '", absl::CHexEscape(server),
                                                 "' has no port; write HOST:PORT, like ", absl::CHexEscape(host), ":",
                                                 kDefaultPort));
}

}  // namespace

absl::StatusOr<Reach> ReachOf(absl::string_view server) {
  if (absl::StartsWith(server, "unix:") || absl::StartsWith(server, "unix-abstract:")) return Reach::kUnixSocket;
  absl::string_view address = server;
  if (absl::ConsumePrefix(&address, "dns:") || absl::ConsumePrefix(&address, "ipv4:") ||
      absl::ConsumePrefix(&address, "ipv6:")) {
    // "dns://8.8.8.8/host:port" names the DNS server to ask.
    if (absl::ConsumePrefix(&address, "//")) address.remove_prefix(std::min(address.find('/'), address.size() - 1) + 1);
    // Several addresses: the channel chooses one.
    if (absl::StrContains(address, ',')) return Reach::kElsewhere;
  } else if (absl::StrContains(server, "://")) {
    const bool web = absl::StartsWithIgnoreCase(server, "http");
    if (web) return absl::InvalidArgumentError("the server is HOST:PORT, not a URL; what makes it https is TLS");
    return Reach::kElsewhere;
  }

  const size_t colon = address.rfind(':');
  const bool brackets = absl::StartsWith(address, "[");
  const size_t end = brackets ? address.find(']') : colon;
  if (end == absl::string_view::npos) return NoPort(server, address);
  if (brackets && (colon == absl::string_view::npos || colon != end + 1)) return NoPort(server, address);
  const absl::string_view host = brackets ? address.substr(1, end - 1) : address.substr(0, end);
  if (!brackets && absl::StrContains(host, ':')) return NoPort(server, absl::StrCat("[", address, "]"));
  if (host.empty() || !IsPort(address.substr(colon + 1))) return NoPort(server, host.empty() ? "localhost" : host);
  return IsLoopback(std::string(host)) ? Reach::kLoopback : Reach::kElsewhere;
}

}  // namespace taskwatch::client
