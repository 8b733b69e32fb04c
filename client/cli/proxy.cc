#include "client/cli/proxy.h"

#include <cstdlib>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "client/internal/server_address.h"

namespace taskwatch::client {
namespace {

absl::string_view Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool IsExempt(absl::string_view host) {
  const bool own = std::getenv("no_grpc_proxy") != nullptr;
  for (const absl::string_view entry : absl::StrSplit(Variable(own ? "no_grpc_proxy" : "no_proxy"), ',')) {
    if (!entry.empty() && absl::EndsWithIgnoreCase(host, entry)) return true;
  }
  return false;
}

}  // namespace

std::optional<Proxy> ProxyTo(absl::string_view server) {
  const absl::StatusOr<Reach> reach = ReachOf(server);
  if (!reach.ok() || *reach != Reach::kElsewhere) return std::nullopt;
  for (const char* const name : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    if (std::getenv(name) == nullptr) continue;
    absl::string_view address = Variable(name);
    // gRPC knows no other kind of proxy.
    if (!absl::ConsumePrefix(&address, "http://")) return std::nullopt;
    address = address.substr(0, address.find('/'));
    address.remove_prefix(address.rfind('@') + 1);
    absl::string_view host = server.substr(server.rfind('/') + 1);
    host = host.substr(0, host.rfind(':'));
    if (address.empty() || IsExempt(host)) return std::nullopt;
    return Proxy{std::string(address), name};
  }
  return std::nullopt;
}

}  // namespace taskwatch::client
