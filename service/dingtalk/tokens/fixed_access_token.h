// An access token that was given at the start and stays.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_FIXED_ACCESS_TOKEN_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_FIXED_ACCESS_TOKEN_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/dingtalk/tokens/access_token.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"

namespace taskwatch {

// Once the token was rejected there is no other: every GetToken then fails with kUpstreamUnauthenticated, until the
// service is started with a new one. The loop must outlive the provider.
class FixedAccessToken final : public AccessTokenProvider {
 public:
  // `token` may have white space around it; `origin` is where it came from, for messages ("DINGTALK_ACCESS_TOKEN").
  static absl::StatusOr<std::unique_ptr<FixedAccessToken>> Create(EventLoop* loop, absl::string_view token,
                                                                  absl::string_view origin);

  bool HasToken() const override { return !rejected_; }
  std::optional<std::string> Cached() const override;
  void GetToken(Done done) override;
  void Invalidate(absl::string_view token) override;

 private:
  FixedAccessToken(EventLoop* loop, std::string token, absl::string_view origin)
      : loop_(loop), token_(std::move(token)), origin_(origin) {}

  EventLoop* const loop_;
  const std::string token_;
  const std::string origin_;
  bool rejected_ = false;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_FIXED_ACCESS_TOKEN_H_
