// One watch from its first stream to its end, without the streams.
#ifndef TASKWATCH_CLIENT_INTERNAL_WATCH_RUN_H_
#define TASKWATCH_CLIENT_INTERNAL_WATCH_RUN_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/watch_observer.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/internal/resume_policy.h"
#include "client/internal/watch_progress.h"

namespace taskwatch::client {

// Makes the requests of successive streams, tells the observer what is new in their messages, and decides whether and
// when to open the next. Knows no clock and no gRPC. Not thread-safe.
class WatchRun {
 public:
  struct Options {
    std::string task_id;
    std::string last_etag;
    std::optional<absl::Duration> poll_interval;
    absl::Duration heartbeat_interval = absl::Seconds(20);
    // Unset: three heartbeats, as the service clamps them.
    std::optional<absl::Duration> silence_limit;
    // The caller's: a stream that ends with DEADLINE_EXCEEDED has reached it. The service itself never ends one so.
    absl::Time deadline = absl::InfiniteFuture();
  };

  WatchRun(Options options, ResumePolicy policy, WatchObserver observer);

  // The request to open the next stream with.
  v1::WatchTaskRequest OpenStream();

  // A stream that is silent for this long is dead.
  absl::Duration silence_limit() const;

  void OnMessage(const v1::WatchTaskResponse& message);

  // The stream, which is about to end, had a connection.
  void OnContact() { policy_.OnContact(); }

  // The stream has ended. Returns the delay before the next is opened, or nothing if the watch is over; then `result`
  // says with what.
  std::optional<absl::Duration> OnStreamEnd(const absl::Status& status, absl::Time now);

  // The final state, the permanent error, or DeadlineExceeded().
  const absl::StatusOr<v1::TaskInfo>& result() const { return result_; }

  // DEADLINE_EXCEEDED, with what has kept the watch from its end if the last stream broke.
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
