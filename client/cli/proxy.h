// The HTTP proxy that the environment puts between this machine and a server.
#ifndef TASKWATCH_CLIENT_CLI_PROXY_H_
#define TASKWATCH_CLIENT_CLI_PROXY_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace taskwatch::client {

struct Proxy {
  // "host:port", without the user and password that may stand before it.
  std::string address;
  // The environment variable that names it.
  std::string variable;
};

// The proxy through which gRPC reaches `server`, if it does: it obeys the first of grpc_proxy, https_proxy and
// http_proxy that is set, but not for hosts that end with an entry of no_grpc_proxy, or of no_proxy if that is not set.
// This machine is never reached through one (channel.h).
std::optional<Proxy> ProxyTo(absl::string_view server);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_PROXY_H_
