// The latest snapshots of tasks, readable from every thread.
#ifndef TASKWATCH_SERVICE_TRACKER_SNAPSHOT_CACHE_H_
#define TASKWATCH_SERVICE_TRACKER_SNAPSHOT_CACHE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "service/task/task_info.h"

namespace taskwatch {

// A bounded map from task id to the latest snapshot. Evicts by second chance (the clock algorithm): a snapshot that was
// looked up since the hand last passed it stays for another round. Only the tracker writes; thread-safe.
class SnapshotCache {
 public:
  // Holds at most `capacity` snapshots, and nearly as many before it evicts any; none if it is 0.
  explicit SnapshotCache(size_t capacity);

  // The latest snapshot of a task, or null.
  TaskSnapshotPtr Find(absl::string_view task_id) const;

  // The snapshot if it answers a request made at `now` that tolerates `max_staleness`: the task has ended, or was
  // observed no longer ago than that. Else null.
  TaskSnapshotPtr FindFresh(absl::string_view task_id, absl::Duration max_staleness, absl::Time now) const;

  // Whether `snapshot` answers such a request.
  static bool IsFresh(const TaskSnapshot& snapshot, absl::Duration max_staleness, absl::Time now);

  // Replaces what is known of the snapshot's task.
  void Put(TaskSnapshotPtr snapshot);

  size_t size() const;

 private:
  // One lock each. Few snapshots are in one shard, so that as many are held as are asked for.
  static constexpr size_t kMaxShards = 16;

  struct Slot {
    TaskSnapshotPtr snapshot;
    // Asked for since the hand last passed. Set under a shared lock, hence atomic.
    mutable std::atomic<bool> used{false};
  };
  struct Shard {
    mutable absl::Mutex mutex;
    absl::node_hash_map<std::string, Slot> slots ABSL_GUARDED_BY(mutex);
    // The clock's face: ids in the order in which the hand meets them.
    std::deque<absl::string_view> order ABSL_GUARDED_BY(mutex);
  };

  const Shard& ShardOf(absl::string_view task_id) const;
  static void EvictOne(Shard& shard) ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mutex);

  const size_t shard_count_;
  const size_t capacity_per_shard_;
  std::array<Shard, kMaxShards> shards_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_SNAPSHOT_CACHE_H_
