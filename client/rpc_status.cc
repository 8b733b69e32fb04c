#include "taskwatch/client/rpc_status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"

namespace taskwatch::client {
namespace {

constexpr absl::string_view kDomain = "taskwatch";

absl::Status WithDetails(absl::StatusCode code, absl::string_view message, const google::rpc::Status& details) {
  absl::Status status(code, message);
  for (const google::protobuf::Any& detail : details.details()) {
    status.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return status;
}

// The detail of this type, if there is one that can be read.
template <typename Detail>
std::optional<Detail> DetailOf(const absl::Status& status) {
  const auto payload =
      status.GetPayload(absl::StrCat("type.googleapis.com/", std::string(Detail::descriptor()->full_name())));
  Detail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

std::optional<google::rpc::ErrorInfo> ErrorInfoOf(const absl::Status& status) {
  std::optional<google::rpc::ErrorInfo> info = DetailOf<google::rpc::ErrorInfo>(status);
  if (info.has_value() && info->domain() != kDomain) return std::nullopt;
  return info;
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return WithDetails(static_cast<absl::StatusCode>(status.error_code()), status.error_message(), details);
}

absl::Status FromRpcStatus(const google::rpc::Status& status) {
  return WithDetails(static_cast<absl::StatusCode>(status.code()), status.message(), status);
}

std::string ErrorReasonOf(const absl::Status& status) {
  const std::optional<google::rpc::ErrorInfo> info = ErrorInfoOf(status);
  return info.has_value() ? info->reason() : "";
}

std::string ErrorMetadataOf(const absl::Status& status, const std::string& key) {
  const std::optional<google::rpc::ErrorInfo> info = ErrorInfoOf(status);
  if (!info.has_value()) return "";
  const auto entry = info->metadata().find(key);
  return entry == info->metadata().end() ? "" : entry->second;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  const std::optional<google::rpc::RetryInfo> retry = DetailOf<google::rpc::RetryInfo>(status);
  if (!retry.has_value()) return std::nullopt;
  return absl::Seconds(retry->retry_delay().seconds()) + absl::Nanoseconds(retry->retry_delay().nanos());
}

std::string UpstreamRequestIdOf(const absl::Status& status) {
  const std::optional<google::rpc::RequestInfo> request = DetailOf<google::rpc::RequestInfo>(status);
  if (request.has_value() && !request->request_id().empty()) return request->request_id();
  return ErrorMetadataOf(status, "upstream_request_id");
}

}  // namespace taskwatch::client
