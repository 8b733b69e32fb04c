#include "taskwatch/client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "client/internal/secret_file.h"
#include "client/internal/server_address.h"

namespace taskwatch::client {
namespace {

constexpr absl::Duration kFirstReconnect = absl::Milliseconds(200);
constexpr absl::Duration kLongestReconnect = absl::Seconds(5);
// The service allows pings every 10 s.
constexpr absl::Duration kKeepaliveTime = absl::Seconds(30);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(10);

absl::Status ReadPem(absl::string_view what, const std::string& path, std::string& content) {
  if (path.empty()) return absl::OkStatus();
  content = ReadSecretFile(path);
  if (!absl::StrContains(content, "-----BEGIN ")) {
    return absl::InvalidArgumentError(absl::StrCat("the ", what, " file '", path, "' cannot be read or is not PEM"));
  }
  return absl::OkStatus();
}

// Credentials of this machine send nothing encrypted either, but make sure that what they are connected to is on it,
// and tell of it, so that callers' credentials may follow (internal/call_context.cc).
std::shared_ptr<grpc::ChannelCredentials> PlainCredentials(Reach reach) {
  switch (reach) {
    case Reach::kLoopback:
      return grpc::experimental::LocalCredentials(LOCAL_TCP);
    case Reach::kUnixSocket:
      return grpc::experimental::LocalCredentials(UDS);
    case Reach::kElsewhere:
      break;
  }
  return grpc::InsecureChannelCredentials();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> NewChannel(const ChannelOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(kFirstReconnect / absl::Milliseconds(1)));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(kLongestReconnect / absl::Milliseconds(1)));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(kLongestReconnect / absl::Milliseconds(1)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(kKeepaliveTime / absl::Milliseconds(1)));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(kKeepaliveTimeout / absl::Milliseconds(1)));
  // Pings are sent however few messages there are; the calls are long and quiet.
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);

  if (options.tls_cert_file.empty() != options.tls_key_file.empty()) {
    return absl::InvalidArgumentError("a TLS certificate and its key are needed together");
  }
  const bool has_tls_option =
      !options.tls_ca_file.empty() || !options.tls_cert_file.empty() || !options.tls_server_name.empty();
  const absl::StatusOr<Reach> reach = ReachOf(options.server);
  if (!reach.ok()) return reach.status();
  // gRPC would send by the environment's proxy even what is for this machine.
  if (*reach != Reach::kElsewhere) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!options.tls) {
    if (has_tls_option) return absl::InvalidArgumentError("TLS files or names are of use with TLS only");
    return grpc::CreateCustomChannel(options.server, PlainCredentials(*reach), arguments);
  }
  grpc::SslCredentialsOptions tls;
  for (const absl::Status& read : {ReadPem("CA", options.tls_ca_file, tls.pem_root_certs),
                                   ReadPem("certificate", options.tls_cert_file, tls.pem_cert_chain),
                                   ReadPem("key", options.tls_key_file, tls.pem_private_key)}) {
    if (!read.ok()) return read;
  }
  if (!options.tls_server_name.empty()) arguments.SetSslTargetNameOverride(options.tls_server_name);
  return grpc::CreateCustomChannel(options.server, grpc::SslCredentials(tls), arguments);
}

}  // namespace taskwatch::client
