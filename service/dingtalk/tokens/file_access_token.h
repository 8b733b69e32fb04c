// The access token that somebody else keeps up to date in a file.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_FILE_ACCESS_TOKEN_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_FILE_ACCESS_TOKEN_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/dingtalk/tokens/access_token.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"
#include "service/secrets/secret_file.h"

namespace taskwatch {

// Hands out what the file holds now (SecretFile tells when it is read again). While the file cannot be used, as in the
// middle of being rewritten, the last good token stays in use.
//
// After a token was rejected, GetToken fails with kUpstreamUnauthenticated until the file has been written again, even
// if with the same token: somebody may have made it valid. That is kTransient, since the token's owner may be late, and
// `not_asked` with a `retry_after` of a second: each look at the file costs a stat. So it is if the file is missing
// then. The loop must outlive the provider.
class FileAccessToken final : public AccessTokenProvider {
 public:
  FileAccessToken(EventLoop* loop, std::string path)
      : loop_(loop), file_(std::move(path), [loop] { return loop->Now(); }) {}

  bool HasToken() const override { return token_.has_value(); }
  std::optional<std::string> Cached() const override;
  void GetToken(Done done) override;
  void Invalidate(absl::string_view token) override;

 private:
  absl::StatusOr<std::string> Read();

  EventLoop* const loop_;
  SecretFile file_;
  // The last one that was read; none once it is rejected.
  std::optional<std::string> token_;
  // Which state of the file is known to hold a rejected token; SecretFile's versions begin at 1.
  uint64_t rejected_version_ = 0;
  uint64_t version_ = 0;
  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_FILE_ACCESS_TOKEN_H_
