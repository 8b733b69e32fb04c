#include "service/pace/lingering_tasks.h"

#include <iterator>
#include <utility>

namespace taskwatch {

void LingeringTasks::Add(absl::string_view task_id, LingeringTask task, absl::Time now) {
  RemoveOld(now);
  if (options_.max_tasks == 0 || options_.duration <= absl::ZeroDuration()) return;
  if (slots_.size() >= options_.max_tasks) RemoveOldest();
  slots_.push_back({std::string(task_id), now, std::move(task)});
  tasks_[slots_.back().task_id] = std::prev(slots_.end());
}

const LingeringTask* LingeringTasks::Find(absl::string_view task_id, absl::Time now) const {
  const auto found = tasks_.find(task_id);
  return found == tasks_.end() || IsOver(*found->second, now) ? nullptr : &found->second->task;
}

std::optional<LingeringTask> LingeringTasks::Take(absl::string_view task_id, absl::Time now) {
  std::optional<LingeringTask> taken;
  if (const auto found = tasks_.find(task_id); found != tasks_.end()) {
    const Slots::iterator slot = found->second;
    tasks_.erase(found);
    if (!IsOver(*slot, now)) taken = std::move(slot->task);
    slots_.erase(slot);
  }
  RemoveOld(now);
  return taken;
}

bool LingeringTasks::IsOver(const Slot& slot, absl::Time now) const {
  return now < slot.added || now - slot.added >= options_.duration;
}

void LingeringTasks::RemoveOld(absl::Time now) {
  while (!slots_.empty() && IsOver(slots_.front(), now)) RemoveOldest();
}

void LingeringTasks::RemoveOldest() {
  tasks_.erase(slots_.front().task_id);
  slots_.pop_front();
}

}  // namespace taskwatch
