// Channels to Taskwatch, with keepalive and reconnection set for long calls.
//
//   client::ChannelOptions options;
//   options.server = "taskwatch.example.com:443";
//   options.tls = true;
//   const auto channel = client::NewChannel(options);  // absl::StatusOr<std::shared_ptr<grpc::Channel>>
#ifndef TASKWATCH_CLIENT_CHANNEL_H_
#define TASKWATCH_CLIENT_CHANNEL_H_

#if __cplusplus < 201703L
#error "Taskwatch's client needs C++17: give the target that includes it copts = ['-std=c++17'] (docs/cpp-client.md)"
#endif

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace taskwatch::client {

struct ChannelOptions {
  // "host:port", or any other name that gRPC resolves ("dns:///...", "unix:/path"). The port is never left out.
  std::string server = "127.0.0.1:50051";
  // Whether to speak TLS. The rest is for TLS only.
  bool tls = false;
  // PEM file of the authorities to trust, instead of the system's.
  std::string tls_ca_file;
  // PEM files of the certificate chain and key to show to the server, both or none.
  std::string tls_cert_file;
  std::string tls_key_file;
  // The name that the server's certificate must have, if not the host of `server`.
  std::string tls_server_name;
};

// A channel that connects when it is first used. Fails with INVALID_ARGUMENT, and a message for people, if a file
// cannot be read, the options do not go together, or the server has no port.
//
// A server that is not on this machine is reached through the HTTP proxy that the environment names, as gRPC does
// (grpc_proxy, https_proxy, http_proxy, but for no_grpc_proxy and no_proxy). One on a loopback address (127.0.0.0/8,
// [::1], "localhost") or a Unix socket never is; "localhost" that resolves to another address is not connected to.
//
// Differs from gRPC's defaults in two things. A lost server is tried again every 5 s at the latest, not every 2
// minutes. A connection with open calls is pinged every 30 s; if no answer comes within 10 s, the calls on it fail with
// UNAVAILABLE.
absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const ChannelOptions& options);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CHANNEL_H_
