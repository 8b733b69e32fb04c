#include "service/dingtalk/tokens/file_access_token.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/runtime/post_answer.h"
#include "service/task/task_error.h"

namespace taskwatch {
namespace {

// A stat a second costs nothing.
constexpr absl::Duration kLookAgainAfter = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::string> FileAccessToken::Read() {
  absl::StatusOr<Secret> secret = file_.Read();
  if (!secret.ok()) {
    if (token_.has_value()) return *token_;
    return secret.status();
  }
  if (secret->version == rejected_version_) {
    ErrorDetails details;
    details.reason = ErrorReason::kUpstreamUnauthenticated;
    details.persistence = Persistence::kTransient;
    details.retry_after = kLookAgainAfter;
    details.not_asked = true;
    details.log_detail = absl::StrCat("the access token in the file ", file_.path(),
                                      " was rejected: write a new one there; it is read again when the file changes");
    return MakeError(details, "DingTalk rejected this server's access token, and there is no new one yet");
  }
  token_ = std::move(secret->value);
  version_ = secret->version;
  return *token_;
}

std::optional<std::string> FileAccessToken::Cached() const {
  std::optional<Secret> secret = file_.Cached();
  if (!secret.has_value() || secret->version == rejected_version_) return std::nullopt;
  return std::move(secret->value);
}

void FileAccessToken::GetToken(Done done) { PostAnswer(loop_, lifetime_, std::move(done), Read()); }

void FileAccessToken::Invalidate(absl::string_view token) {
  if (token_ != token) return;
  rejected_version_ = version_;
  token_.reset();
}

}  // namespace taskwatch
