#include "service/tracker/snapshot_cache.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"

namespace taskwatch {
namespace {

// Where there are as many in a shard, hardly one fills up long before the others.
constexpr size_t kWorthAShard = 64;

}  // namespace

SnapshotCache::SnapshotCache(size_t capacity)
    : shard_count_(std::clamp<size_t>(capacity / kWorthAShard, 1, kMaxShards)),
      capacity_per_shard_(capacity / shard_count_) {}

const SnapshotCache::Shard& SnapshotCache::ShardOf(absl::string_view task_id) const {
  return shards_[absl::Hash<absl::string_view>()(task_id) % shard_count_];
}

TaskSnapshotPtr SnapshotCache::Find(absl::string_view task_id) const {
  const Shard& shard = ShardOf(task_id);
  absl::ReaderMutexLock lock(&shard.mutex);
  const auto slot = shard.slots.find(task_id);
  if (slot == shard.slots.end()) return nullptr;
  slot->second.used.store(true, std::memory_order_relaxed);
  return slot->second.snapshot;
}

TaskSnapshotPtr SnapshotCache::FindFresh(absl::string_view task_id, absl::Duration max_staleness,
                                         absl::Time now) const {
  TaskSnapshotPtr snapshot = Find(task_id);
  return snapshot != nullptr && IsFresh(*snapshot, max_staleness, now) ? snapshot : nullptr;
}

bool SnapshotCache::IsFresh(const TaskSnapshot& snapshot, absl::Duration max_staleness, absl::Time now) {
  if (IsDone(snapshot.info.state)) return true;
  // An age below zero means that the clock was set back: nothing is known then of how old it is.
  const absl::Duration age = now - snapshot.observe_time;
  return max_staleness > absl::ZeroDuration() && age >= absl::ZeroDuration() && age <= max_staleness;
}

void SnapshotCache::Put(TaskSnapshotPtr snapshot) {
  if (capacity_per_shard_ == 0) return;
  auto& shard = const_cast<Shard&>(ShardOf(snapshot->info.task_id));
  absl::MutexLock lock(&shard.mutex);
  const auto [slot, inserted] = shard.slots.try_emplace(snapshot->info.task_id);
  slot->second.snapshot = std::move(snapshot);
  if (!inserted) return;
  shard.order.push_back(slot->first);
  if (shard.slots.size() > capacity_per_shard_) EvictOne(shard);
}

size_t SnapshotCache::size() const {
  size_t size = 0;
  for (const Shard& shard : shards_) {
    absl::ReaderMutexLock lock(&shard.mutex);
    size += shard.slots.size();
  }
  return size;
}

void SnapshotCache::EvictOne(Shard& shard) {
  while (true) {
    const absl::string_view task_id = shard.order.front();
    shard.order.pop_front();
    const auto slot = shard.slots.find(task_id);
    if (!slot->second.used.exchange(false, std::memory_order_relaxed)) {
      shard.slots.erase(slot);
      return;
    }
    shard.order.push_back(slot->first);
  }
}

}  // namespace taskwatch
