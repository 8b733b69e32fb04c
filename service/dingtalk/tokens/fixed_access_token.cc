#include "service/dingtalk/tokens/fixed_access_token.h"

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"

#include "service/runtime/post_answer.h"
#include "service/secrets/secret_text.h"
#include "service/task/task_error.h"

namespace taskwatch {

absl::StatusOr<std::unique_ptr<FixedAccessToken>> FixedAccessToken::Create(EventLoop* loop, absl::string_view token,
                                                                           absl::string_view origin) {
  absl::StatusOr<std::string> trimmed = TrimSecret(token, origin);
  if (!trimmed.ok()) return trimmed.status();
  return absl::WrapUnique(new FixedAccessToken(loop, *std::move(trimmed), origin));
}

std::optional<std::string> FixedAccessToken::Cached() const {
  if (rejected_) return std::nullopt;
  return token_;
}

void FixedAccessToken::GetToken(Done done) {
  absl::StatusOr<std::string> token = token_;
  if (rejected_) {
    ErrorDetails details;
    details.reason = ErrorReason::kUpstreamUnauthenticated;
    details.persistence = Persistence::kPermanent;
    details.not_asked = true;
    details.log_detail = absl::StrCat("the token is of ", origin_,
                                      ": start the service with a new one, or let it fetch them with --app_key and "
                                      "--app_secret_file");
    token = MakeError(details, "DingTalk rejected this server's access token");
  }
  PostAnswer(loop_, lifetime_, std::move(done), std::move(token));
}

void FixedAccessToken::Invalidate(absl::string_view token) {
  if (token == token_) rejected_ = true;
}

}  // namespace taskwatch
