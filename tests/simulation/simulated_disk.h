// The state file in virtual time: what is on the disk, and what a crash leaves of what was on its way there.
#ifndef TASKWATCH_TESTS_SIMULATION_SIMULATED_DISK_H_
#define TASKWATCH_TESTS_SIMULATION_SIMULATED_DISK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/call_ledger.h"
#include "service/runtime/lifetime.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/finished_tasks.h"
#include "service/task/task_info.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"

namespace taskwatch::simulation {

// How bad the disks are.
struct DiskMood {
  // How long a write takes.
  absl::Duration min_delay = absl::Milliseconds(1);
  absl::Duration max_delay = absl::Milliseconds(20);
  // Whether writes fail.
  bool full = false;
};

// One state file. Only one SimulatedStore at a time uses it.
class SimulatedDisk {
 public:
  int64_t CallsIn(absl::CivilMonth month) const;
  TaskSnapshotPtr Find(absl::string_view task_id) const;

  std::set<std::string> EndedTasks() const;

  void WriteCalls(absl::CivilMonth month, int64_t calls);
  void WriteTask(const TaskSnapshotPtr& snapshot) { tasks_.emplace(snapshot->info.task_id, snapshot); }

  // From here on, what was made is compared with what the file tells. A call that DingTalk counts in `month` was made:
  // returns false if the file does not know of it, although it could be written.
  bool CountCall(absl::CivilMonth month);
  // A write has failed: until one succeeds, calls are counted in memory only.
  void NoteFailure(absl::CivilMonth month) {
    failing_.insert(month);
    has_failed_ = true;
  }
  bool has_failed() const { return has_failed_; }
  // A process begins with what the file tells. What was not written while it failed is not to be found there.
  void NoteStart();

 private:
  std::map<absl::CivilMonth, int64_t> calls_;
  std::map<absl::CivilMonth, int64_t> made_;
  std::map<std::string, TaskSnapshotPtr, std::less<>> tasks_;
  std::set<absl::CivilMonth> failing_;
  bool has_failed_ = false;
};

// What one process has open of a disk; the StateStore of the simulation. Writes come to their end in their order, and
// later.
class SimulatedStore final : public CallLedger, public FinishedTasks {
 public:
  // All must outlive the store.
  SimulatedStore(SimulatedLoop* loop, Journal* journal, SimulatedDisk* disk, const DiskMood* mood, Random random);
  // Writes what is pending, as an orderly end does, unless it has crashed.
  ~SimulatedStore() override;

  // The process dies: of what is on its way, the first few may have reached the disk.
  void Crash();

  absl::StatusOr<int64_t> CallsIn(absl::CivilMonth month) override { return disk_->CallsIn(month); }
  void Record(absl::CivilMonth month, int64_t calls, Done done) override;
  TaskSnapshotPtr Find(absl::string_view task_id) override { return disk_->Find(task_id); }
  void Put(TaskSnapshotPtr snapshot) override;

 private:
  // Either of the two.
  struct Write {
    absl::CivilMonth month;
    int64_t calls = 0;
    Done done;
    TaskSnapshotPtr snapshot;
  };

  void WriteNext();
  void FinishWrite();
  void Apply(const Write& write);

  SimulatedLoop* const loop_;
  Journal* const journal_;
  SimulatedDisk* const disk_;
  const DiskMood* const mood_;
  Random random_;
  // The first is being written.
  std::deque<Write> writes_;
  EventLoop::TimerId timer_;
  bool crashed_ = false;
  const Lifetime lifetime_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_SIMULATED_DISK_H_
