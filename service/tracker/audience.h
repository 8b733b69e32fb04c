// The watchers of one task, and which state each of them was told last.
#ifndef TASKWATCH_SERVICE_TRACKER_AUDIENCE_H_
#define TASKWATCH_SERVICE_TRACKER_AUDIENCE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"

#include "service/task/task_info.h"
#include "service/tracker/task_subscriber.h"

namespace taskwatch {

// Tells each watcher about each change once, and only the latest state if changes come faster than they can be told.
//
// A large audience is told in slices of 256, so that a million watchers hold up neither timers nor transfers. The owner
// posts a call of TellMore to the loop for each further slice:
//
//   audience.NoteChange();
//   if (audience.Tell(snapshot)) PostTellMore();  // which does: if (audience.TellMore(snapshot)) PostTellMore();
//
// Lives on the event loop's thread; never calls the loop itself.
class Audience {
 public:
  using WatchId = uint64_t;

  // Adds a watcher that knows the current state already, so it is told the next change first. `id` must be greater
  // than those added before, and not 0. `poll_interval` is how often the watcher would like the task to be polled.
  // Returns false and adds nobody once Tell was given the final state: that is all that there is to tell.
  [[nodiscard]] bool Add(WatchId id, TaskSubscriber* subscriber, std::optional<absl::Duration> poll_interval);

  // From now on a watcher is told nothing, unless the task has ended, until Release. Both do nothing if it has gone.
  void Hold(WatchId id);
  // The watcher is told by the next call of Tell or TellMore what the state is, even if nothing has changed.
  void Release(WatchId id);

  // Removes a watcher, which is not called again; returns whether it was there.
  bool Remove(WatchId id);

  // Removes all watchers and returns them.
  std::vector<TaskSubscriber*> RemoveAll();

  bool empty() const { return watchers_.empty(); }
  size_t size() const { return watchers_.size(); }

  // The shortest interval that a watcher wants, or nothing if none cares. Takes no longer for more watchers.
  std::optional<absl::Duration> ShortestPollInterval() const;

  // Records that the task has changed. Its watchers are told by the next call of Tell, or by TellMore.
  void NoteChange() {
    ++version_;
    ++news_;
  }

  // Tells watchers about the latest change, if they have not been told yet, and removes them if `snapshot`, the latest
  // state, is final. Returns true if some are left, so that TellMore is to be posted. Does nothing and returns false
  // while a TellMore is outstanding.
  bool Tell(const TaskSnapshotPtr& snapshot);

  // Tells the next slice, for a call that Tell or TellMore asked for. Returns true if it is to be posted again.
  bool TellMore(const TaskSnapshotPtr& snapshot);

 private:
  // Instead of a version: nothing was told, and nothing is to be told.
  static constexpr uint64_t kNothing = 0;
  static constexpr uint64_t kHeld = UINT64_MAX;

  struct Watcher {
    TaskSubscriber* subscriber;
    std::optional<absl::Duration> poll_interval;
    // The version that it was told last; or one of the two below.
    uint64_t told_version;
  };

  using Watchers = absl::btree_map<WatchId, Watcher>;

  bool TellSlice(const TaskSnapshotPtr& snapshot);
  // Returns the one after it.
  Watchers::iterator Erase(Watchers::iterator watcher);

  Watchers watchers_;
  // How many watchers want which interval.
  absl::btree_map<absl::Duration, size_t> wishes_;
  // Whether the final state is being told, or has been.
  bool closed_ = false;
  // Counts changes, from 1.
  uint64_t version_ = 1;
  // Counts what makes a pass over the watchers worth while.
  uint64_t news_ = 0;
  // A pass over all watchers, one slice after the other: the count of news at its beginning, the watcher that it
  // reached last (0 between passes), and whether a TellMore is outstanding.
  uint64_t pass_news_ = 0;
  WatchId pass_reached_ = 0;
  bool more_outstanding_ = false;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_AUDIENCE_H_
