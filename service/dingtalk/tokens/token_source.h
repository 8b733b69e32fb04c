// Where new access tokens come from.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_TOKEN_SOURCE_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_TOKEN_SOURCE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace taskwatch {

struct IssuedToken {
  std::string token;
  // From when it was issued; more than zero.
  absl::Duration lifetime;
};

// Lives on the event loop's thread, as do its callbacks.
class TokenSource {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<IssuedToken>)>;

  virtual ~TokenSource() = default;

  // Makes one attempt to obtain a token. Calls `done` once and never before Fetch has returned, unless the source is
  // destroyed first: then not at all. Errors carry ErrorDetails and never a secret.
  virtual void Fetch(Done done) = 0;

  // Another number whenever the credentials may have changed, so that one that failed for them may work now; nothing
  // while they cannot be read.
  virtual std::optional<uint64_t> CredentialsVersion() = 0;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_TOKEN_SOURCE_H_
