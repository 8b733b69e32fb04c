#include "service/tracker/audience.h"

#include <algorithm>
#include <utility>

namespace taskwatch {
namespace {

// Watchers told before timers and transfers get their turn again.
constexpr size_t kSlice = 256;

}  // namespace

void Audience::Add(WatchId id, TaskSubscriber* subscriber, std::optional<absl::Duration> poll_interval) {
  watchers_[id] = Watcher{subscriber, poll_interval, version_};
}

std::vector<TaskSubscriber*> Audience::RemoveAll() {
  std::vector<TaskSubscriber*> subscribers;
  subscribers.reserve(watchers_.size());
  for (const auto& [id, watcher] : watchers_) subscribers.push_back(watcher.subscriber);
  watchers_.clear();
  return subscribers;
}

std::optional<absl::Duration> Audience::ShortestPollInterval() const {
  std::optional<absl::Duration> shortest;
  for (const auto& [id, watcher] : watchers_) {
    if (!watcher.poll_interval.has_value()) continue;
    shortest = std::min(shortest.value_or(absl::InfiniteDuration()), *watcher.poll_interval);
  }
  return shortest;
}

bool Audience::Tell(const TaskSnapshotPtr& snapshot) { return !more_outstanding_ && TellSlice(snapshot); }

bool Audience::TellMore(const TaskSnapshotPtr& snapshot) {
  more_outstanding_ = false;
  return TellSlice(snapshot);
}

bool Audience::TellSlice(const TaskSnapshotPtr& snapshot) {
  const bool final = IsDone(snapshot->info.state);
  if (pass_reached_ == 0) pass_version_ = version_;
  size_t told = 0;
  auto watcher = watchers_.upper_bound(pass_reached_);
  while (watcher != watchers_.end() && told < kSlice) {
    pass_reached_ = watcher->first;
    const bool knows = std::exchange(watcher->second.told_version, version_) == version_;
    TaskSubscriber* const subscriber = watcher->second.subscriber;
    watcher = final ? watchers_.erase(watcher) : std::next(watcher);
    if (knows) continue;
    subscriber->OnUpdate(snapshot);
    ++told;
  }
  if (watcher == watchers_.end()) {
    pass_reached_ = 0;
    // If the task has changed since the pass began, its first watchers are to be told once more.
    if (pass_version_ == version_) return false;
  }
  more_outstanding_ = true;
  return true;
}

}  // namespace taskwatch
