#include "client/internal/call_context.h"

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace taskwatch::client {
namespace {

absl::Status ValidateHeader(const std::string& name, const std::string& value) {
  const bool name_is_legal = !name.empty() && name[0] != ':' && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  });
  if (!name_is_legal) return absl::InvalidArgumentError("a header's name may hold a-z, 0-9, -, _ and . only");
  // The value may be a secret, so it is not shown.
  if (!std::all_of(value.begin(), value.end(), [](char c) { return absl::ascii_isprint(c); })) {
    return absl::InvalidArgumentError(absl::StrCat("the value of the header '", name, "' must be printable ASCII"));
  }
  return absl::OkStatus();
}

constexpr absl::string_view kRefusal =
    "the credentials would be sent unencrypted to another machine; use TLS, or a channel of NewChannel's to a loopback "
    "address or a Unix socket";

// Headers that gRPC asks for once there is a connection, and that stay here if it is not fit for them.
class SecretHeaders final : public grpc::MetadataCredentialsPlugin {
 public:
  explicit SecretHeaders(Metadata headers) : headers_(std::move(headers)) {}

  bool IsBlocking() const override { return false; }
  grpc::string DebugString() override { return "SecretHeaders"; }

  grpc::Status GetMetadata(grpc::string_ref /*service_url*/, grpc::string_ref /*method*/,
                           const grpc::AuthContext& connection,
                           std::multimap<grpc::string, grpc::string>* metadata) override {
    if (!IsFit(connection)) return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, std::string(kRefusal));
    metadata->insert(headers_.begin(), headers_.end());
    return grpc::Status::OK;
  }

 private:
  static bool IsFit(const grpc::AuthContext& connection) {
    const auto has = [&connection](const char* property, absl::string_view wanted) {
      const std::vector<grpc::string_ref> values = connection.FindPropertyValues(property);
      return std::any_of(values.begin(), values.end(), [wanted](grpc::string_ref value) {
        return absl::string_view(value.data(), value.size()) == wanted;
      });
    };
    return has(GRPC_TRANSPORT_SECURITY_LEVEL_PROPERTY_NAME, "TSI_PRIVACY_AND_INTEGRITY") ||
           has(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME, "local");
  }

  const Metadata headers_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ClientContext>> NewContext(absl::Time deadline, const Metadata& metadata,
                                                                const Credentials& credentials) {
  auto context = std::make_shared<grpc::ClientContext>();
  if (deadline != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline));
  Metadata secret;
  if (credentials) {
    absl::StatusOr<Metadata> headers = credentials();
    if (!headers.ok()) return headers.status();
    secret = *std::move(headers);
  }
  for (const auto& [name, value] : metadata) {
    if (absl::Status status = ValidateHeader(name, value); !status.ok()) return status;
    if (name == "authorization") {
      secret.emplace_back(name, value);
    } else {
      context->AddMetadata(name, value);
    }
  }
  for (const auto& [name, value] : secret) {
    if (absl::Status status = ValidateHeader(name, value); !status.ok()) return status;
  }
  if (!secret.empty()) {
    // gRPC itself would want encryption on loopback, too.
    context->set_credentials(grpc::experimental::MetadataCredentialsFromPlugin(
        std::make_unique<SecretHeaders>(std::move(secret)), GRPC_SECURITY_NONE));
  }
  return context;
}

std::optional<absl::Status> RefusalIn(const absl::Status& status) {
  // gRPC makes an error of its own of the plugin's.
  if (!absl::StrContains(status.message(), kRefusal)) return std::nullopt;
  return absl::FailedPreconditionError(kRefusal);
}

bool HadConnection(const grpc::ClientContext& context, const absl::Status& status) {
  // gRPC names the address at the other end if there is one, else the channel's target. That is an address, too, where
  // the channel was made for an address; then its words for a call that found no connection have to tell.
  if (absl::StartsWith(status.message(), "failed to connect to all addresses")) return false;
  const std::string peer = context.peer();
  return absl::StartsWith(peer, "ipv4:") || absl::StartsWith(peer, "ipv6:") || absl::StartsWith(peer, "unix");
}

}  // namespace taskwatch::client
