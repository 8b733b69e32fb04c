#include "client/internal/wait_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "client/internal/proto_time.h"

namespace taskwatch::client {
namespace {

constexpr absl::Duration kLongestCall = absl::Seconds(60);
// For the way there and back, and for a poll that is under way when the time is up.
constexpr absl::Duration kCallMargin = absl::Seconds(15);
constexpr absl::Duration kPauseAfterEarlyAnswer = absl::Seconds(1);

// The service answers before the call's deadline: when it does not, the connection is dead.
absl::Status NoAnswerIn(absl::Duration timeout) {
  return absl::UnavailableError(absl::StrCat("no answer in ", absl::FormatDuration(timeout)));
}

}  // namespace

WaitRun::WaitRun(std::string task_id, absl::Time stop, ResumePolicy policy, WatchObserver observer)
    : task_id_(std::move(task_id)), stop_(stop), policy_(std::move(policy)), observer_(std::move(observer)) {}

v1::WaitTaskRequest WaitRun::NextRequest(absl::Time now) {
  asked_at_ = now;
  timeout_ = std::clamp(stop_ - now, absl::ZeroDuration(), kLongestCall);
  v1::WaitTaskRequest request;
  request.set_task_id(task_id_);
  *request.mutable_timeout() = ToProto(timeout_);
  return request;
}

absl::Duration WaitRun::call_timeout() const { return timeout_ + kCallMargin; }

std::optional<absl::Duration> WaitRun::OnAnswer(const absl::Status& status, const v1::WaitTaskResponse& answer,
                                                absl::Time now) {
  if (!status.ok()) {
    const absl::Status failure = absl::IsDeadlineExceeded(status) ? NoAnswerIn(call_timeout()) : status;
    const std::optional<absl::Duration> delay = policy_.DelayAfter(failure, now);
    if (delay.has_value() && now + *delay < stop_) {
      if (observer_.on_interruption) observer_.on_interruption(failure, *delay);
      return delay;
    }
    result_ = failure;
    return std::nullopt;
  }
  policy_.OnAnswer();
  result_ = answer.task();
  if (answer.task().done()) return std::nullopt;
  // A service that does not hold the call is not to be asked in a tight loop.
  const bool early = now - asked_at_ < timeout_ / 2;
  const absl::Duration pause = early ? kPauseAfterEarlyAnswer : absl::ZeroDuration();
  if (now + pause >= stop_) return std::nullopt;
  if (observer_.on_task && answer.task().etag() != told_etag_) observer_.on_task(answer.task());
  told_etag_ = answer.task().etag();
  return pause;
}

}  // namespace taskwatch::client
