// Channels to Taskwatch, set up so that its clients notice trouble soon and come back soon.
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
  // "host:port", or any other name that gRPC resolves ("dns:///...", "unix:/path").
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

// A channel that connects when it is first used. Fails with INVALID_ARGUMENT, for people, if a file cannot be read or
// the options do not go together.
//
// It differs from gRPC's defaults in this: a lost server is tried again within seconds, not minutes, and a connection
// on which calls are open is pinged every 30 s, so that a dead one is noticed and the calls on it fail.
absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const ChannelOptions& options);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CHANNEL_H_
