// What the observer of a watch has been told, over all its streams and servers.
#ifndef TASKWATCH_CLIENT_INTERNAL_WATCH_PROGRESS_H_
#define TASKWATCH_CLIENT_INTERNAL_WATCH_PROGRESS_H_

#include <optional>
#include <string>

#include "taskwatch/v1/task_service.pb.h"

namespace taskwatch::client {

// Picks the states to tell from the messages of successive streams. A pure state machine: no clock, no gRPC. Not
// thread-safe.
//
// Within one stream the service keeps the order. But a new stream may lead to another server, whose last poll is older:
//
//   server A: running, 3 of 10;  running, 7 of 10;  (restarts)
//   server B: running, 5 of 10   (polled a moment before A's last)
//
// An etag says only whether two states are equal, not which is newer. So the first message of a stream is compared with
// the last state told:
//   - equal etags: nothing new.
//   - done: the end of the task, whatever the clocks say.
//   - further in the task's life (running after waiting, more items processed): newer.
//   - less far (5 of 10 after 7 of 10), or as far but observed before the last state was last confirmed: taken for
//   older,
//     and held back. It is told if the server confirms it by a later poll (a heartbeat with its etag and a later
//     `observe_time`): then the task did go back, or the servers' clocks differ.
//   - anything else: newer.
// The messages after the first come from later polls and are told as they come. So no state is told twice in a row and
// none is lost. One that was polled before another is told after it only if its server's clock is ahead by the
// difference and its content does not show it.
class WatchProgress {
 public:
  // `last_etag` is that of the state that the watcher knew before, or empty.
  explicit WatchProgress(std::string last_etag) : last_etag_(std::move(last_etag)) {}

  // A stream was opened with `last_etag()`.
  void OnStream();

  // A message of that stream. Each returns the state to tell now, if there is one.
  std::optional<v1::TaskInfo> OnTask(const v1::TaskInfo& task);
  std::optional<v1::TaskInfo> OnHeartbeat(const v1::Heartbeat& heartbeat);

  // The etag of the state told last, to open the next stream with.
  const std::string& last_etag() const { return last_etag_; }

  // The state told last, with the `observe_time` of its last confirmation.
  const std::optional<v1::TaskInfo>& last() const { return last_; }

  // Whether a final state was told. Nothing is told after it.
  bool done() const { return last_.has_value() && last_->done(); }

 private:
  v1::TaskInfo Tell(const v1::TaskInfo& task);
  bool LooksOlder(const v1::TaskInfo& task) const;

  std::string last_etag_;
  std::optional<v1::TaskInfo> last_;
  // Whether this stream's server is known to have polled no earlier than the state told last.
  bool caught_up_ = true;
  std::optional<v1::TaskInfo> held_back_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_WATCH_PROGRESS_H_
