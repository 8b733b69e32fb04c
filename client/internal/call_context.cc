#include "client/internal/call_context.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
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

absl::Status AddHeaders(const Metadata& metadata, grpc::ClientContext& context) {
  for (const auto& [name, value] : metadata) {
    if (absl::Status status = ValidateHeader(name, value); !status.ok()) return status;
    context.AddMetadata(name, value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ClientContext>> NewContext(absl::Time deadline, const Metadata& metadata,
                                                                const Credentials& credentials) {
  auto context = std::make_shared<grpc::ClientContext>();
  if (deadline != absl::InfiniteFuture()) context->set_deadline(absl::ToChronoTime(deadline));
  if (absl::Status status = AddHeaders(metadata, *context); !status.ok()) return status;
  if (!credentials) return context;
  const absl::StatusOr<Metadata> headers = credentials();
  if (!headers.ok()) return headers.status();
  if (absl::Status status = AddHeaders(*headers, *context); !status.ok()) return status;
  return context;
}

}  // namespace taskwatch::client
