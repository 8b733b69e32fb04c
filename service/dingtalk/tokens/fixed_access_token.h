// An access token that was given at the start and stays.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_FIXED_ACCESS_TOKEN_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_FIXED_ACCESS_TOKEN_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/dingtalk/tokens/access_token.h"

namespace taskwatch {

// Answers at once. Once the token was rejected there is no other: every GetToken then fails with
// kUpstreamUnauthenticated, until the service is started with a new one.
class FixedAccessToken final : public AccessTokenProvider {
 public:
  // `token` may have white space around it; `origin` is where it came from, for messages ("DINGTALK_ACCESS_TOKEN").
  static absl::StatusOr<std::unique_ptr<FixedAccessToken>> Create(absl::string_view token, absl::string_view origin);

  void GetToken(Done done) override;
  void Invalidate(absl::string_view token) override;

 private:
  FixedAccessToken(std::string token, absl::string_view origin) : token_(std::move(token)), origin_(origin) {}

  const std::string token_;
  const std::string origin_;
  bool rejected_ = false;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_FIXED_ACCESS_TOKEN_H_
