#include "service/tracker/snapshot_cache.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"

namespace taskwatch {

SnapshotCache::SnapshotCache(size_t capacity) : capacity_per_shard_(std::max<size_t>(1, capacity / kShards)) {}

const SnapshotCache::Shard& SnapshotCache::ShardOf(absl::string_view task_id) const {
  return shards_[absl::Hash<absl::string_view>()(task_id) % kShards];
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
  if (snapshot == nullptr || IsDone(snapshot->info.state)) return snapshot;
  // An age below zero means that the clock was set back: nothing is known then of how old it is.
  const absl::Duration age = now - snapshot->observe_time;
  const bool fresh = max_staleness > absl::ZeroDuration() && age >= absl::ZeroDuration() && age <= max_staleness;
  return fresh ? snapshot : nullptr;
}

void SnapshotCache::Put(TaskSnapshotPtr snapshot) {
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
