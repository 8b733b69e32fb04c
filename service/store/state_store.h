// What outlives a restart, in one SQLite file: how many calls were made each month, and the tasks that have ended.
#ifndef TASKWATCH_SERVICE_STORE_STATE_STORE_H_
#define TASKWATCH_SERVICE_STORE_STATE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/call_ledger.h"
#include "service/store/database.h"
#include "service/store/file_lock.h"
#include "service/store/state_owner.h"
#include "service/task/finished_tasks.h"
#include "service/task/task_info.h"

namespace taskwatch {

// Reads on the loop's thread, over a connection of its own: an indexed look-up, which waits for no writer (WAL).
// Writes on a thread of its own, so that a slow disk does not block the loop. All ledger records that have come
// meanwhile are one transaction, all tasks another; a transaction is on the disk when it is over (synchronous=FULL).
//
// Failures while it runs do not stop the service, which only knows less after a restart:
// - a ledger record that cannot be written calls its `done` with the error;
// - tasks that cannot be written are kept in memory, up to 10,000, and tried again;
// - a task that cannot be read counts as not kept.
// Each kind of failure is logged when it begins and when it is over.
//
// To be called on the loop's thread, except where it says otherwise.
class StateStore final : public FinishedTasks, public CallLedger {
 public:
  struct Options {
    // Beside it lie SQLite's `-wal` and `-shm` and our own `-lock`.
    std::string path;
    // Whose the file is to be. Another owner's is refused, unless it is to be adopted (state_owner.h).
    StateOwner owner;
    bool adopt = false;
    // Tasks kept; when there are more, the oldest are deleted.
    size_t max_tasks = 100'000;
    // The size that the file may reach, in SQLite's pages of 4 KiB; 0 leaves it to the disk.
    int64_t max_pages = 0;
    // After this time, or with the next ledger record, tasks that could not be written are tried again.
    absl::Duration retry_interval = absl::Seconds(30);
  };

  // Gauges, and counters since the start.
  struct Stats {
    // In the file.
    int64_t tasks = 0;
    // Put, but not written yet.
    size_t tasks_pending = 0;
    // Dropped because too many were pending, or because they could not be written before the process ended.
    uint64_t tasks_lost = 0;
    uint64_t lookups = 0;
    uint64_t hits = 0;
    // Whether the latest attempt to do so failed.
    bool ledger_failing = false;
    bool tasks_failing = false;
    bool reading_failing = false;
  };

  // Opens or creates the file, locks out other processes, checks it for damage, migrates an older version, makes
  // sure that it is not another service's and that it can be written. If one of these fails, an error in one line that
  // names --state_file and says what to do.
  static absl::StatusOr<std::unique_ptr<StateStore>> Open(Options options);

  // Writes what is pending. Any thread, but not during another call.
  ~StateStore() override;

  TaskSnapshotPtr Find(absl::string_view task_id) override;
  void Put(TaskSnapshotPtr snapshot) override;

  absl::StatusOr<int64_t> CallsIn(absl::CivilMonth month) override;
  void Record(absl::CivilMonth month, int64_t calls, Done done) override;

  // Blocks until what was put and recorded before has been written or has failed. Any thread; for tests.
  void Flush();

  // Any thread.
  Stats stats() const;

 private:
  struct LedgerRecord {
    absl::CivilMonth month;
    int64_t calls;
    Done done;
  };
  // A connection with the statements made for it, which must go before it does.
  struct Reader {
    Database database;
    Database::Statement find_task;
    Database::Statement find_calls;
  };
  struct Writer {
    Database database;
    Database::Statement set_calls;
    Database::Statement add_task;
    Database::Statement drop_tasks;
  };

  StateStore(Options options, std::unique_ptr<FileLock> lock, Writer writer, Reader reader, int64_t tasks);

  static absl::StatusOr<Writer> OpenWriter(const Options& options);
  static absl::StatusOr<Reader> OpenReader(const std::string& path);

  // The store's thread.
  void Write();
  void WriteRecords(std::vector<LedgerRecord> records);
  void WriteTasks(std::deque<TaskSnapshotPtr> tasks);
  absl::Status InsertTasks(const std::deque<TaskSnapshotPtr>& tasks, int64_t& stored);
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Logs if `failing` changes.
  void Note(absl::string_view what, const absl::Status& status, absl::string_view consequence, bool& failing) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const std::unique_ptr<FileLock> lock_;
  // The store's thread.
  Writer writer_;
  // The loop's thread.
  Reader reader_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<LedgerRecord> records_ ABSL_GUARDED_BY(mutex_);
  std::deque<TaskSnapshotPtr> tasks_ ABSL_GUARDED_BY(mutex_);
  // Set after a failure: tasks wait for it to pass, or for the next ledger record.
  absl::Time next_attempt_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  Stats stats_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_STORE_STATE_STORE_H_
