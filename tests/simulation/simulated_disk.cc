#include "tests/simulation/simulated_disk.h"

#include <algorithm>
#include <utility>

namespace taskwatch::simulation {
namespace {

// After this time tasks that could not be written are tried again.
constexpr absl::Duration kRetryInterval = absl::Seconds(30);

}  // namespace

int64_t SimulatedDisk::CallsIn(absl::CivilMonth month) const {
  const auto calls = calls_.find(month);
  return calls == calls_.end() ? 0 : calls->second;
}

TaskSnapshotPtr SimulatedDisk::Find(absl::string_view task_id) const {
  const auto task = tasks_.find(task_id);
  return task == tasks_.end() ? nullptr : task->second;
}

std::set<std::string> SimulatedDisk::EndedTasks() const {
  std::set<std::string> ids;
  for (const auto& [id, snapshot] : tasks_) ids.insert(id);
  return ids;
}

void SimulatedDisk::WriteCalls(absl::CivilMonth month, int64_t calls) {
  calls_[month] = calls;
  // Calls went on meanwhile: the file may still know too few.
  if (calls >= made_[month]) failing_.erase(failing_.begin(), failing_.upper_bound(month));
}

bool SimulatedDisk::CountCall(absl::CivilMonth month) {
  const int64_t made = ++made_[month];
  return made <= CallsIn(month) || !failing_.empty();
}

void SimulatedDisk::NoteStart() {
  for (const absl::CivilMonth month : failing_) made_[month] = std::min(made_[month], CallsIn(month));
  failing_.clear();
}

SimulatedStore::SimulatedStore(SimulatedLoop* loop, Journal* journal, SimulatedDisk* disk, const DiskMood* mood,
                               Random random)
    : loop_(loop), journal_(journal), disk_(disk), mood_(mood), random_(random) {
  disk_->NoteStart();
}

SimulatedStore::~SimulatedStore() {
  loop_->CancelTimer(timer_);
  if (crashed_) return;
  for (const Write& write : writes_) {
    if (!mood_->full) {
      Apply(write);
    } else if (write.snapshot == nullptr) {
      disk_->NoteFailure(write.month);
    }
  }
}

void SimulatedStore::Crash() {
  crashed_ = true;
  loop_->CancelTimer(timer_);
  const uint64_t written = mood_->full ? 0 : random_.Below(writes_.size() + 1);
  journal_->Note("disk: ", written, " of ", writes_.size(), " writes have reached it");
  for (uint64_t i = 0; i < written; ++i) Apply(writes_[i]);
  writes_.clear();
}

void SimulatedStore::Record(absl::CivilMonth month, int64_t calls, Done done) {
  if (crashed_) return;
  Write write;
  write.month = month;
  write.calls = calls;
  write.done = std::move(done);
  writes_.push_back(std::move(write));
  if (writes_.size() == 1) WriteNext();
}

void SimulatedStore::Put(TaskSnapshotPtr snapshot) {
  if (crashed_ || !IsDone(snapshot->info.state)) return;
  Write write;
  write.snapshot = std::move(snapshot);
  writes_.push_back(std::move(write));
  if (writes_.size() == 1) WriteNext();
}

void SimulatedStore::WriteNext() {
  timer_ = loop_->RunAfter(random_.Between(mood_->min_delay, mood_->max_delay), [this] { FinishWrite(); });
}

void SimulatedStore::FinishWrite() {
  Write write = std::move(writes_.front());
  writes_.pop_front();
  if (!writes_.empty()) WriteNext();
  const bool failed = mood_->full;
  journal_->Count(failed ? "writes failed" : "writes");
  if (!failed) Apply(write);
  if (write.snapshot != nullptr) {
    if (!failed) return;
    loop_->RunAfter(kRetryInterval, lifetime_.Guard([this, snapshot = std::move(write.snapshot)] { Put(snapshot); }));
    return;
  }
  journal_->Note("disk: ", failed ? "has no room for " : "has ", write.calls, " calls");
  if (failed) disk_->NoteFailure(write.month);
  write.done(failed ? absl::ResourceExhaustedError("the disk is full") : absl::OkStatus());
}

void SimulatedStore::Apply(const Write& write) {
  if (write.snapshot != nullptr) {
    disk_->WriteTask(write.snapshot);
  } else {
    disk_->WriteCalls(write.month, write.calls);
  }
}

}  // namespace taskwatch::simulation
