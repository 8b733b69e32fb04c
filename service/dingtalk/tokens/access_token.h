// The access token that DingTalk's calls carry.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_ACCESS_TOKEN_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_ACCESS_TOKEN_H_

#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace taskwatch {

// Hands out the token of the moment. Lives on the event loop's thread, as do its callbacks.
class AccessTokenProvider {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  virtual ~AccessTokenProvider() = default;

  // Whether GetToken would hand out a token without waiting for one. Costs nothing.
  virtual bool HasToken() const = 0;

  // The token, if it is at hand and neither has to be renewed nor looked at again; else GetToken tells. Saves a turn of
  // the loop for each call.
  virtual std::optional<std::string> Cached() const = 0;

  // Calls `done` once with a token that is thought to be valid, and never before GetToken has returned, unless the
  // provider is destroyed first: then not at all. Errors carry ErrorDetails and never the token or a secret.
  virtual void GetToken(Done done) = 0;

  // Tells that DingTalk has rejected `token`: it is not handed out again unless it is obtained anew.
  virtual void Invalidate(absl::string_view token) = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_ACCESS_TOKEN_H_
