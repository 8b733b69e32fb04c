// One watch from its first stream to its end, without the streams.
#ifndef TASKWATCH_CLIENT_INTERNAL_WATCH_RUN_H_
#define TASKWATCH_CLIENT_INTERNAL_WATCH_RUN_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/internal/resume_policy.h"
#include "taskwatch/client/internal/watch_progress.h"
#include "taskwatch/v1/task_service.pb.h"

namespace taskwatch::client {

// Hears what a watch has to tell, in order, one call at a time. Any of them may be unset. They must not block for long:
// the next message waits for them.
struct WatchObserver {
  // The task is in this state: each state once, none after one that is done.
  std::function<void(const v1::TaskInfo& task)> on_task;
  // Nothing has changed; DingTalk was asked then, or does not answer.
  std::function<void(const v1::Heartbeat& heartbeat)> on_heartbeat;
  // The stream broke for this reason, and is opened again after `delay`. The watch goes on.
  std::function<void(const absl::Status& why, absl::Duration delay)> on_interruption;
};

// What the blocking and the callback form of a watch have in common. Knows no clock. Not thread-safe.
class WatchRun {
 public:
  struct Options {
    std::string task_id;
    std::string last_etag;
    std::optional<absl::Duration> poll_interval;
    absl::Duration heartbeat_interval = absl::Seconds(20);
    // Unset: three heartbeats, as the service clamps them.
    std::optional<absl::Duration> silence_limit;
  };

  WatchRun(Options options, ResumePolicy policy, WatchObserver observer);

  // With what to open the next stream.
  v1::WatchTaskRequest OpenStream();

  // A stream that is silent for this long is dead.
  absl::Duration silence_limit() const;

  void OnMessage(const v1::WatchTaskResponse& message);

  // The stream has ended. Returns how long to wait before the next is opened, or nothing if the watch is over; then
  // `result` tells with what.
  std::optional<absl::Duration> OnStreamEnd(const absl::Status& status, absl::Time now);

  // The final state, or the permanent error.
  const absl::StatusOr<v1::TaskInfo>& result() const { return result_; }

  // What to say when the deadline has passed before the end.
  absl::Status DeadlineExceeded() const;

 private:
  void Tell(const std::optional<v1::TaskInfo>& task);

  const Options options_;
  ResumePolicy policy_;
  const WatchObserver observer_;
  WatchProgress progress_;
  // Why the last stream ended, until the next one brings a message.
  absl::Status trouble_;
  absl::StatusOr<v1::TaskInfo> result_ = absl::UnknownError("the watch is not over");
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_WATCH_RUN_H_
