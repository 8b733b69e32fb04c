// One WatchTask call, without gRPC: which messages are sent, when, and how the stream ends.
#ifndef TASKWATCH_SERVICE_TRACKER_WATCH_SESSION_H_
#define TASKWATCH_SERVICE_TRACKER_WATCH_SESSION_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/task/task_info.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// Keeps one message in flight and at most one pending, which a newer state replaces. So a slow reader gets only the
// latest state: if 3, 4 and 5 items are done while the message with 2 is being written, the next message has 5. It
// never gets an older state, nor the same one twice in a row; it always gets the final one, as the last message. The
// stream ends exactly once.
//
// Lives on the event loop's thread. Must not be destroyed before it has ended its stream.
class WatchSession final : private TaskSubscriber {
 public:
  struct Heartbeat {
    // Of the latest state, which the watcher has; empty while no state is known, or none that is new enough for it.
    std::string etag;
    // When that state was last confirmed; unset while the etag is empty.
    std::optional<absl::Time> observe_time;
    absl::Time next_poll_time;
    // OK unless the last poll failed.
    absl::Status last_poll_error;
  };

  // The transport of one stream. After each Write the session waits for OnWritten; after Finish or WriteAndFinish it
  // never touches the sink again, and the sink may destroy it once the call that it is in has returned.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void Write(const TaskSnapshot& snapshot) = 0;
    virtual void Write(const Heartbeat& heartbeat) = 0;
    // Writes the last message and ends the stream with OK.
    virtual void WriteAndFinish(const TaskSnapshot& snapshot) = 0;
    virtual void Finish(const absl::Status& status) = 0;
    // Breaks the stream off because a write does not come to its end; OnWritten(false) is to follow.
    virtual void Abort() = 0;
  };

  struct Options {
    std::string task_id;
    // The state that the watcher knows already, or empty.
    std::string last_etag;
    std::optional<absl::Duration> poll_interval;
    // A heartbeat follows when nothing was sent for this long.
    absl::Duration heartbeat_interval = absl::Seconds(20);
    // After about this time the stream ends with STREAM_ROTATED and the client watches again, perhaps on another
    // server.
    absl::Duration max_age = absl::Minutes(10);
    // A write that takes longer is broken off.
    absl::Duration stall_timeout = absl::Seconds(30);
  };

  // All must outlive the session.
  WatchSession(EventLoop* loop, TaskTracker* tracker, Sink* sink, Options options);
  ~WatchSession() override;

  // Subscribes and sends what is known. To be called once.
  void Start();

  // The write in flight has come to its end; `ok` is false if the stream is broken.
  void OnWritten(bool ok);

  // The watcher has gone.
  void OnCancelled();

  // Sends what is pending and then ends the stream: with OK if that is the final state, otherwise with `status`.
  void End(const absl::Status& status);

 private:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override;
  void OnError(const absl::Status& error) override;

  // Sends what is next, if nothing is in flight.
  void Pump();
  void WriteHeartbeat();
  void StartWrite();
  void ArmTimer();
  void OnTimer();
  void Unsubscribe();
  // Forgets the timers; the stream's end is the caller's next call to the sink.
  void Close();

  EventLoop* const loop_;
  TaskTracker* const tracker_;
  Sink* const sink_;
  const Options options_;

  TaskTracker::WatchId watch_id_ = 0;
  // The etag of the last message with a state, written or in flight.
  std::string told_etag_;
  TaskSnapshotPtr pending_;
  // Set when the stream is to end; it does as soon as nothing is in flight or pending.
  std::optional<absl::Status> end_;
  // Set while a state is known that the watcher may have seen a newer one than.
  bool resuming_ = false;
  bool heartbeat_pending_ = false;
  bool writing_ = false;
  bool wrote_ = false;
  bool ended_ = false;
  EventLoop::TimerId timer_;
  EventLoop::TimerId age_timer_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_WATCH_SESSION_H_
