#include "client/internal/watch_run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "client/internal/proto_time.h"

namespace taskwatch::client {
namespace {

// The range to which the service clamps `heartbeat_interval`.
constexpr absl::Duration kShortestHeartbeat = absl::Seconds(5);
constexpr absl::Duration kLongestHeartbeat = absl::Seconds(60);
constexpr int kSilentHeartbeats = 3;

}  // namespace

WatchRun::WatchRun(Options options, ResumePolicy policy, WatchObserver observer)
    : options_(std::move(options)),
      policy_(std::move(policy)),
      observer_(std::move(observer)),
      progress_(options_.last_etag) {}

v1::WatchTaskRequest WatchRun::OpenStream() {
  progress_.OnStream();
  v1::WatchTaskRequest request;
  request.set_task_id(options_.task_id);
  request.set_last_etag(progress_.last_etag());
  if (options_.poll_interval.has_value()) *request.mutable_poll_interval() = ToProto(*options_.poll_interval);
  *request.mutable_heartbeat_interval() = ToProto(options_.heartbeat_interval);
  return request;
}

absl::Duration WatchRun::silence_limit() const {
  if (options_.silence_limit.has_value()) return *options_.silence_limit;
  return kSilentHeartbeats * std::clamp(options_.heartbeat_interval, kShortestHeartbeat, kLongestHeartbeat);
}

void WatchRun::OnMessage(const v1::WatchTaskResponse& message) {
  if (progress_.done()) return;
  policy_.OnAnswer();
  trouble_ = absl::OkStatus();
  if (message.has_task()) Tell(progress_.OnTask(message.task()));
  if (message.has_heartbeat()) {
    Tell(progress_.OnHeartbeat(message.heartbeat()));
    if (observer_.on_heartbeat) observer_.on_heartbeat(message.heartbeat());
  }
}

std::optional<absl::Duration> WatchRun::OnStreamEnd(const absl::Status& status, absl::Time now) {
  if (progress_.done()) {
    result_ = *progress_.last();
    return std::nullopt;
  }
  if (absl::IsDeadlineExceeded(status) && options_.deadline != absl::InfiniteFuture()) {
    result_ = DeadlineExceeded();
    return std::nullopt;
  }
  const absl::Status failure = status.ok() ? absl::UnavailableError("the stream ended before the task did") : status;
  const std::optional<absl::Duration> delay = policy_.DelayAfter(failure, now);
  if (!delay.has_value()) {
    result_ = failure;
    return std::nullopt;
  }
  trouble_ = failure;
  if (observer_.on_interruption) observer_.on_interruption(failure, *delay);
  return delay;
}

absl::Status WatchRun::DeadlineExceeded() const {
  std::string message = "the deadline passed before the task was done";
  if (!trouble_.ok()) absl::StrAppend(&message, "; the last trouble was: ", trouble_.message());
  return absl::DeadlineExceededError(message);
}

void WatchRun::Tell(const std::optional<v1::TaskInfo>& task) {
  if (task.has_value() && observer_.on_task) observer_.on_task(*task);
}

}  // namespace taskwatch::client
