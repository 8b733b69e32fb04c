#include "service/tracker/audience.h"

#include <utility>

namespace taskwatch {
namespace {

// Watchers told before timers and transfers get their turn again.
constexpr size_t kSlice = 256;

}  // namespace

bool Audience::Add(WatchId id, TaskSubscriber* subscriber, std::optional<absl::Duration> poll_interval) {
  if (closed_) return false;
  watchers_[id] = Watcher{subscriber, poll_interval, version_};
  if (poll_interval.has_value()) ++wishes_[*poll_interval];
  return true;
}

void Audience::Hold(WatchId id) {
  const auto watcher = watchers_.find(id);
  if (watcher != watchers_.end()) watcher->second.told_version = kHeld;
}

void Audience::Release(WatchId id) {
  const auto watcher = watchers_.find(id);
  if (watcher == watchers_.end() || watcher->second.told_version != kHeld) return;
  watcher->second.told_version = kNothing;
  ++news_;
}

bool Audience::Remove(WatchId id) {
  const auto watcher = watchers_.find(id);
  if (watcher == watchers_.end()) return false;
  Erase(watcher);
  return true;
}

std::vector<TaskSubscriber*> Audience::RemoveAll() {
  std::vector<TaskSubscriber*> subscribers;
  subscribers.reserve(watchers_.size());
  for (const auto& [id, watcher] : watchers_) subscribers.push_back(watcher.subscriber);
  watchers_.clear();
  wishes_.clear();
  return subscribers;
}

std::optional<absl::Duration> Audience::ShortestPollInterval() const {
  if (wishes_.empty()) return std::nullopt;
  return wishes_.begin()->first;
}

Audience::Watchers::iterator Audience::Erase(Watchers::iterator watcher) {
  if (watcher->second.poll_interval.has_value()) {
    const auto wish = wishes_.find(*watcher->second.poll_interval);
    if (--wish->second == 0) wishes_.erase(wish);
  }
  return watchers_.erase(watcher);
}

bool Audience::Tell(const TaskSnapshotPtr& snapshot) { return !more_outstanding_ && TellSlice(snapshot); }

bool Audience::TellMore(const TaskSnapshotPtr& snapshot) {
  more_outstanding_ = false;
  return TellSlice(snapshot);
}

bool Audience::TellSlice(const TaskSnapshotPtr& snapshot) {
  const bool final = IsDone(snapshot->info.state);
  closed_ = closed_ || final;
  if (pass_reached_ == 0) {
    if (pass_news_ == news_) return false;
    pass_news_ = news_;
  }
  size_t told = 0;
  auto watcher = watchers_.upper_bound(pass_reached_);
  while (watcher != watchers_.end() && told < kSlice) {
    pass_reached_ = watcher->first;
    uint64_t& told_version = watcher->second.told_version;
    const bool pass_by = told_version == version_ || (told_version == kHeld && !final);
    if (!pass_by) told_version = version_;
    TaskSubscriber* const subscriber = watcher->second.subscriber;
    watcher = final ? Erase(watcher) : std::next(watcher);
    if (pass_by) continue;
    subscriber->OnUpdate(snapshot);
    ++told;
  }
  if (watcher == watchers_.end()) {
    pass_reached_ = 0;
    // If there were news since the pass began, its first watchers may have to be told once more.
    if (pass_news_ == news_) return false;
  }
  more_outstanding_ = true;
  return true;
}

}  // namespace taskwatch
