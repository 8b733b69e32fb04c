#include "service/tracker/waiting_gets.h"

#include <algorithm>
#include <utility>

namespace taskwatch {

WaitingGets::~WaitingGets() {
  for (const auto& [id, get] : gets_) loop_->CancelTimer(get.deadline_timer);
}

void WaitingGets::Add(GetId id, uint64_t first_fetch, absl::Time deadline, EventLoop::Callback on_deadline) {
  EventLoop::TimerId timer;
  if (deadline != absl::InfiniteFuture()) timer = loop_->RunAfter(deadline - loop_->Now(), std::move(on_deadline));
  gets_.emplace(id, Get{first_fetch, deadline, timer});
}

bool WaitingGets::Remove(GetId id) {
  const auto get = gets_.find(id);
  if (get == gets_.end()) return false;
  loop_->CancelTimer(get->second.deadline_timer);
  gets_.erase(get);
  return true;
}

std::vector<WaitingGets::GetId> WaitingGets::RemoveAnswered(uint64_t fetch) {
  return RemoveIf([fetch](const Get& get) { return get.first_fetch <= fetch; });
}

std::vector<WaitingGets::GetId> WaitingGets::RemoveAll() {
  return RemoveIf([](const Get&) { return true; });
}

std::vector<WaitingGets::GetId> WaitingGets::RemoveFailed(uint64_t fetch, const std::optional<Retry>& retry) {
  return RemoveIf([&](Get& get) {
    if (get.first_fetch > fetch) return false;
    if (!retry.has_value() || retry->next_answer >= get.deadline) return true;
    return retry->max_attempts.has_value() && ++get.attempts >= *retry->max_attempts;
  });
}

absl::Time WaitingGets::LatestDeadline() const {
  absl::Time latest = absl::InfinitePast();
  for (const auto& [id, get] : gets_) latest = std::max(latest, get.deadline);
  return latest;
}

template <typename Predicate>
std::vector<WaitingGets::GetId> WaitingGets::RemoveIf(Predicate matches) {
  std::vector<GetId> removed;
  for (auto get = gets_.begin(); get != gets_.end();) {
    if (!matches(get->second)) {
      ++get;
      continue;
    }
    removed.push_back(get->first);
    loop_->CancelTimer(get->second.deadline_timer);
    get = gets_.erase(get);
  }
  return removed;
}

}  // namespace taskwatch
