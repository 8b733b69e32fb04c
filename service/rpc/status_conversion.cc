#include "service/rpc/status_conversion.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

constexpr char kDomain[] = "taskwatch";

template <typename Detail>
void AddDetail(const Detail& detail, google::rpc::Status& status) {
  status.add_details()->PackFrom(detail);
}

google::rpc::ErrorInfo ErrorInfoOf(const ErrorDetails& details) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ErrorReasonName(details.reason)));
  info.set_domain(kDomain);
  auto& metadata = *info.mutable_metadata();
  if (details.http_status != 0) metadata["http_status"] = absl::StrCat(details.http_status);
  if (!details.upstream_code.empty()) metadata["upstream_code"] = details.upstream_code;
  if (!details.upstream_request_id.empty()) metadata["upstream_request_id"] = details.upstream_request_id;
  return info;
}

}  // namespace

google::rpc::Status ToStatusProto(const absl::Status& error) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(error.code()));
  status.set_message(std::string(error.message()));
  const ErrorDetails details = DetailsOf(error);
  if (details.reason == ErrorReason::kNone) return status;

  AddDetail(ErrorInfoOf(details), status);
  if (details.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    const absl::Duration delay = std::max(*details.retry_after, absl::ZeroDuration());
    absl::Duration rest;
    retry.mutable_retry_delay()->set_seconds(absl::IDivDuration(delay, absl::Seconds(1), &rest));
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
    AddDetail(retry, status);
  }
  if (!details.field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* const violation = bad_request.add_field_violations();
    violation->set_field(details.field);
    violation->set_description(std::string(error.message()));
    AddDetail(bad_request, status);
  }
  if (details.reason == ErrorReason::kMonthlyQuotaExhausted) {
    google::rpc::QuotaFailure quota;
    auto* const violation = quota.add_violations();
    violation->set_subject("organisation");
    violation->set_description("DingTalk's calls per natural month (UTC+8) are used up");
    AddDetail(quota, status);
  }
  if (!details.upstream_request_id.empty()) {
    google::rpc::RequestInfo request;
    request.set_request_id(details.upstream_request_id);
    AddDetail(request, status);
  }
  return status;
}

grpc::Status ToGrpcStatus(const absl::Status& error) {
  if (error.ok()) return grpc::Status::OK;
  const google::rpc::Status status = ToStatusProto(error);
  const std::string details = status.details().empty() ? std::string() : status.SerializeAsString();
  return grpc::Status(static_cast<grpc::StatusCode>(error.code()), status.message(), details);
}

}  // namespace taskwatch
