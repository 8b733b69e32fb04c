#include "service/logged_task_source.h"

#include <spdlog/spdlog.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

bool IsAboutTheTaskId(ErrorReason reason) {
  return reason == ErrorReason::kInvalidTaskId || reason == ErrorReason::kUpstreamParamError ||
         reason == ErrorReason::kTaskNotFound;
}

}  // namespace

void LoggedTaskSource::Fetch(absl::string_view task_id, const FetchOptions& options, Done done) {
  source_->Fetch(task_id, options,
                 lifetime_.Guard([this, done = std::move(done)](absl::StatusOr<TaskInfo> result) mutable {
                   Notice(result.status());
                   done(std::move(result));
                 }));
}

void LoggedTaskSource::Notice(const absl::Status& status) {
  if (status.ok() && !failing_) return;
  const ErrorDetails details = DetailsOf(status);
  if (details.not_asked && details.log_detail.empty()) return;
  if (status.ok() || IsAboutTheTaskId(details.reason)) {
    if (std::exchange(failing_, false)) spdlog::info("upstream: answers again after {} failed calls", failures_);
    failures_ = 0;
    return;
  }
  if (!details.not_asked) ++failures_;
  if (std::exchange(failing_, true) && details.reason == reason_) return;
  reason_ = details.reason;
  // The message names the HTTP status and the code, as far as there was an answer.
  const std::string request_id =
      details.upstream_request_id.empty() ? "" : absl::StrCat(" (request id ", details.upstream_request_id, ")");
  const std::string log_detail = details.log_detail.empty() ? "" : absl::StrCat("; ", details.log_detail);
  spdlog::warn("upstream: {}: {}{}{}", std::string(ErrorReasonName(details.reason)), std::string(status.message()),
               request_id, log_detail);
}

}  // namespace taskwatch
