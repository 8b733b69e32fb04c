// Keeps an access token for as long as it lives.
#ifndef TASKWATCH_SERVICE_DINGTALK_TOKENS_CACHED_ACCESS_TOKEN_H_
#define TASKWATCH_SERVICE_DINGTALK_TOKENS_CACHED_ACCESS_TOKEN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/dingtalk/tokens/access_token.h"
#include "service/dingtalk/tokens/token_source.h"
#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"

namespace taskwatch {

// A cache before a TokenSource: one token, and at most one fetch of the next, however many callers wait for it.
//
// A token is handed out until its lifetime is over. The first GetToken within the refresh margin (a tenth of the
// lifetime, at most 5 minutes) also fetches the next one, so that nobody has to wait for it; nothing is fetched while
// nobody asks. If that fetch fails the old token stays in use.
//
// Without a token, GetToken waits for the fetch. After one that failed, whatever the reason, the next is made by the
// first GetToken after a pause: 1 s, doubled up to 1 min (kPaused: `retry_after`, at most 5 min). Until then, and while
// that fetch is under way, everybody else is told the remembered error at once, as `not_asked`. Other credentials end
// the pause, unless it was DingTalk that asked for it. Not remembered is what was `not_asked`, as a secret file that is
// just being written: it costs no call to try again.
//
// Lives on the event loop's thread. The loop must outlive it.
class CachedAccessToken final : public AccessTokenProvider {
 public:
  CachedAccessToken(EventLoop* loop, std::unique_ptr<TokenSource> source) : loop_(loop), source_(std::move(source)) {}
  ~CachedAccessToken() override;

  bool HasToken() const override { return token_.has_value(); }
  // Nothing once the token is to be refreshed, until GetToken has begun to do so.
  std::optional<std::string> Cached() const override;
  void GetToken(Done done) override;
  void Invalidate(absl::string_view token) override;

 private:
  struct Failure {
    absl::Status status;
    absl::Time since;
    absl::Duration pause;
    // Whether the pause is over, so that the next GetToken fetches again.
    bool over;
    // Of the credentials that it came with.
    std::optional<uint64_t> credentials_version;
  };

  void StartFetch();
  void OnFetched(absl::StatusOr<IssuedToken> issued);
  void Adopt(IssuedToken issued);
  void OnFailure(const absl::Status& status);
  // The remembered failure if it is still to be believed, else OK.
  absl::Status RememberedFailure();
  void ForgetFailure();
  void DropToken();

  EventLoop* const loop_;
  const std::unique_ptr<TokenSource> source_;

  std::optional<std::string> token_;
  EventLoop::TimerId expiry_timer_;
  // Whether the next GetToken should also fetch the next token.
  bool refresh_due_ = false;
  EventLoop::TimerId refresh_timer_;

  bool fetching_ = false;
  // Of the credentials with which the last fetch began.
  std::optional<uint64_t> credentials_version_;
  // The token that was rejected since the fetch under way began, if any.
  std::optional<std::string> rejected_meanwhile_;
  std::vector<Done> waiters_;

  // Fetches that have failed since one succeeded, or since the credentials have changed.
  int failures_ = 0;
  // The last one, unless it is not to be remembered.
  std::optional<Failure> failure_;
  EventLoop::TimerId failure_timer_;

  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_TOKENS_CACHED_ACCESS_TOKEN_H_
