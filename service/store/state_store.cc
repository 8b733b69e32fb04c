#include "service/store/state_store.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"

#include "service/store/schema.h"

namespace taskwatch {
namespace {

// Tasks that wait for a disk to recover; some kilobytes each at most.
constexpr size_t kMaxPendingTasks = 10'000;
// Tasks in one transaction, so that a ledger record never waits long behind them.
constexpr size_t kMaxBatch = 1000;

constexpr std::array<TaskState, 4> kFinalStates = {TaskState::kSucceeded, TaskState::kPartiallyFailed,
                                                   TaskState::kAllFailed, TaskState::kFailed};

std::optional<TaskState> FinalStateNamed(absl::string_view name) {
  const auto* const state = std::find_if(kFinalStates.begin(), kFinalStates.end(),
                                         [&](TaskState candidate) { return TaskStateName(candidate) == name; });
  if (state == kFinalStates.end()) return std::nullopt;
  return *state;
}

// `error`, which came while the file was being opened, as one line for the person that starts the service.
absl::Status OpeningError(const std::string& path, const absl::Status& error) {
  std::string what;
  switch (error.code()) {
    case absl::StatusCode::kDataLoss:
      what = absl::StrCat("is damaged or not a database: ", error.message(),
                          "; restore it, or move it away to begin anew, with this month's calls counted from 0");
      break;
    case absl::StatusCode::kResourceExhausted:
      what = absl::StrCat("cannot be written: ", error.message(), "; make room, or name a file where there is some");
      break;
    case absl::StatusCode::kPermissionDenied:
      what = absl::StrCat("cannot be opened for writing: ", error.message(),
                          "; its folder must exist, and both must be writable");
      break;
    case absl::StatusCode::kUnavailable:
      what = absl::StrCat(error.message(), "; each taskwatchd needs a state file of its own");
      break;
    case absl::StatusCode::kFailedPrecondition:
      what = std::string(error.message());
      break;
    default:
      what = absl::StrCat("cannot be used: ", error.message());
  }
  return absl::Status(error.code(), absl::StrCat("--state_file '", path, "' ", what));
}

absl::Status CheckForDamage(Database& database) {
  const absl::StatusOr<std::string> verdict = database.QueryText("PRAGMA quick_check(1)");
  if (!verdict.ok()) return verdict.status();
  // It speaks in two lines, the first of which is a heading.
  return *verdict == "ok" ? absl::OkStatus() : absl::DataLossError(absl::StrReplaceAll(*verdict, {{"\n", " "}}));
}

absl::Status UseWriteAheadLog(Database& database) {
  const absl::StatusOr<std::string> mode = database.QueryText("PRAGMA journal_mode = WAL");
  if (!mode.ok()) return mode.status();
  if (*mode != "wal") {
    return absl::InternalError("its file system cannot share memory between processes; name one on a local disk");
  }
  return database.Execute("PRAGMA synchronous = FULL");
}

std::string MonthName(absl::CivilMonth month) { return absl::FormatCivilTime(month); }

void BindTask(Database::Statement& statement, const TaskSnapshot& snapshot) {
  const TaskInfo& info = snapshot.info;
  statement.Reset();
  statement.Bind(1, info.task_id);
  statement.Bind(2, TaskStateName(info.state));
  statement.Bind(3, info.upstream_status.has_value() ? std::optional<int64_t>(*info.upstream_status) : std::nullopt);
  statement.Bind(4, info.total_count);
  statement.Bind(5, info.succeeded_count);
  statement.Bind(6, info.failed_count);
  statement.Bind(7, absl::ToUnixNanos(snapshot.observe_time));
  statement.Bind(8, absl::ToUnixNanos(snapshot.change_time));
  statement.Bind(9, absl::ToUnixNanos(snapshot.first_observe_time));
}

constexpr absl::string_view kAddTask =
    "INSERT INTO finished_task (task_id, state, upstream_status, total_count, succeeded_count, failed_count, "
    "observe_time, change_time, first_observe_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (task_id) DO NOTHING";
constexpr absl::string_view kFindTask =
    "SELECT state, upstream_status, total_count, succeeded_count, failed_count, observe_time, change_time, "
    "first_observe_time FROM finished_task WHERE task_id = ?";
constexpr absl::string_view kDropTasks =
    "DELETE FROM finished_task WHERE sequence IN (SELECT sequence FROM finished_task ORDER BY sequence LIMIT ?)";
constexpr absl::string_view kSetCalls =
    "INSERT INTO call_ledger (month, calls) VALUES (?, ?) ON CONFLICT (month) DO UPDATE SET calls = excluded.calls";
constexpr absl::string_view kFindCalls = "SELECT calls FROM call_ledger WHERE month = ?";

// The row that `statement` (kFindTask) stands at; null if it is not a finished task's.
TaskSnapshotPtr SnapshotIn(const Database::Statement& statement, absl::string_view task_id) {
  const std::optional<TaskState> state = FinalStateNamed(statement.Text(0));
  if (!state.has_value()) return nullptr;
  auto snapshot = std::make_shared<TaskSnapshot>();
  TaskInfo& info = snapshot->info;
  info.task_id = std::string(task_id);
  info.state = *state;
  if (const auto status = statement.OptionalNumber(1)) info.upstream_status = static_cast<int32_t>(*status);
  info.total_count = statement.OptionalNumber(2);
  info.succeeded_count = statement.OptionalNumber(3);
  info.failed_count = statement.OptionalNumber(4);
  snapshot->etag = EtagOf(info);
  snapshot->observe_time = absl::FromUnixNanos(statement.Number(5));
  snapshot->change_time = absl::FromUnixNanos(statement.Number(6));
  snapshot->first_observe_time = absl::FromUnixNanos(statement.Number(7));
  return snapshot;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateStore>> StateStore::Open(Options options) {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = FileLock::Take(options.path + "-lock");
  if (!lock.ok()) return OpeningError(options.path, lock.status());
  absl::StatusOr<Writer> writer = OpenWriter(options);
  if (!writer.ok()) return OpeningError(options.path, writer.status());
  absl::StatusOr<Reader> reader = OpenReader(options.path);
  if (!reader.ok()) return OpeningError(options.path, reader.status());
  const absl::StatusOr<int64_t> tasks = writer->database.QueryNumber("SELECT count(*) FROM finished_task");
  if (!tasks.ok()) return OpeningError(options.path, tasks.status());
  return absl::WrapUnique(
      new StateStore(std::move(options), *std::move(lock), *std::move(writer), *std::move(reader), *tasks));
}

absl::StatusOr<StateStore::Writer> StateStore::OpenWriter(const Options& options) {
  absl::StatusOr<Database> database = Database::Open(options.path, Database::Mode::kReadWriteCreate);
  if (!database.ok()) return database.status();
  if (database->IsReadOnly()) return absl::PermissionDeniedError("the file is read-only");
  if (absl::Status damage = CheckForDamage(*database); !damage.ok()) return damage;
  if (options.max_pages > 0) {
    absl::Status bounded = database->Execute(absl::StrCat("PRAGMA max_page_count = ", options.max_pages));
    if (!bounded.ok()) return bounded;
  }
  if (absl::Status migrated = Migrate(*database, SchemaSteps()); !migrated.ok()) return migrated;
  if (absl::Status claimed = ClaimFor(*database, options.owner, options.adopt); !claimed.ok()) return claimed;
  if (absl::Status logged = UseWriteAheadLog(*database); !logged.ok()) return logged;
  // A file that cannot be written says so now, and not when the first call is to be counted.
  absl::Status written =
      database->Execute("INSERT OR REPLACE INTO property (name, value) VALUES ('opened', unixepoch())");
  if (!written.ok()) return written;

  absl::StatusOr<Database::Statement> set_calls = database->Prepare(kSetCalls);
  if (!set_calls.ok()) return set_calls.status();
  absl::StatusOr<Database::Statement> add_task = database->Prepare(kAddTask);
  if (!add_task.ok()) return add_task.status();
  absl::StatusOr<Database::Statement> drop_tasks = database->Prepare(kDropTasks);
  if (!drop_tasks.ok()) return drop_tasks.status();
  return Writer{*std::move(database), *std::move(set_calls), *std::move(add_task), *std::move(drop_tasks)};
}

absl::StatusOr<StateStore::Reader> StateStore::OpenReader(const std::string& path) {
  absl::StatusOr<Database> database = Database::Open(path, Database::Mode::kReadOnly);
  if (!database.ok()) return database.status();
  absl::StatusOr<Database::Statement> find_task = database->Prepare(kFindTask);
  if (!find_task.ok()) return find_task.status();
  absl::StatusOr<Database::Statement> find_calls = database->Prepare(kFindCalls);
  if (!find_calls.ok()) return find_calls.status();
  return Reader{*std::move(database), *std::move(find_task), *std::move(find_calls)};
}

StateStore::StateStore(Options options, std::unique_ptr<FileLock> lock, Writer writer, Reader reader, int64_t tasks)
    : options_(std::move(options)), lock_(std::move(lock)), writer_(std::move(writer)), reader_(std::move(reader)) {
  stats_.tasks = tasks;
  thread_ = std::thread([this] { Write(); });
}

StateStore::~StateStore() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

TaskSnapshotPtr StateStore::Find(absl::string_view task_id) {
  Database::Statement& find = reader_.find_task;
  find.Reset();
  find.Bind(1, task_id);
  const absl::StatusOr<bool> row = find.Step();
  TaskSnapshotPtr snapshot = row.ok() && *row ? SnapshotIn(find, task_id) : nullptr;
  find.Reset();

  absl::MutexLock lock(&mutex_);
  ++stats_.lookups;
  if (snapshot != nullptr) ++stats_.hits;
  Note("looking tasks up", row.status(), "ended tasks that are not in memory are asked for again",
       stats_.reading_failing);
  return snapshot;
}

void StateStore::Put(TaskSnapshotPtr snapshot) {
  if (!IsDone(snapshot->info.state)) return;
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(snapshot));
  if (tasks_.size() <= kMaxPendingTasks) return;
  tasks_.pop_front();
  ++stats_.tasks_lost;
}

absl::StatusOr<int64_t> StateStore::CallsIn(absl::CivilMonth month) {
  Database::Statement& find = reader_.find_calls;
  find.Reset();
  find.Bind(1, MonthName(month));
  const absl::StatusOr<bool> row = find.Step();
  const int64_t calls = row.ok() && *row ? find.Number(0) : 0;
  find.Reset();
  if (!row.ok()) return row.status();
  return calls;
}

void StateStore::Record(absl::CivilMonth month, int64_t calls, Done done) {
  absl::MutexLock lock(&mutex_);
  records_.push_back({month, calls, std::move(done)});
}

void StateStore::Flush() {
  absl::MutexLock lock(&mutex_);
  next_attempt_ = absl::InfinitePast();
  mutex_.Await(absl::Condition(
      +[](StateStore* store) {
        store->mutex_.AssertHeld();
        return !store->writing_ && !store->HasWork();
      },
      this));
}

StateStore::Stats StateStore::stats() const {
  absl::MutexLock lock(&mutex_);
  Stats stats = stats_;
  stats.tasks_pending = tasks_.size();
  return stats;
}

bool StateStore::HasWork() const {
  return !records_.empty() || (!tasks_.empty() && (stopping_ || next_attempt_ == absl::InfinitePast()));
}

void StateStore::Write() {
  while (true) {
    std::vector<LedgerRecord> records;
    std::deque<TaskSnapshotPtr> tasks;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithDeadline(absl::Condition(
                                   +[](StateStore* store) {
                                     store->mutex_.AssertHeld();
                                     return store->stopping_ || store->HasWork();
                                   },
                                   this),
                               tasks_.empty() ? absl::InfiniteFuture() : next_attempt_);
      records.swap(records_);
      const size_t batch = std::min(tasks_.size(), kMaxBatch);
      tasks.assign(std::make_move_iterator(tasks_.begin()), std::make_move_iterator(tasks_.begin() + batch));
      tasks_.erase(tasks_.begin(), tasks_.begin() + batch);
      if (records.empty() && tasks.empty() && stopping_) return;
      writing_ = true;
    }
    if (!records.empty()) WriteRecords(std::move(records));
    if (!tasks.empty()) WriteTasks(std::move(tasks));
    absl::MutexLock lock(&mutex_);
    writing_ = false;
  }
}

void StateStore::WriteRecords(std::vector<LedgerRecord> records) {
  absl::Status status = writer_.database.Execute("BEGIN IMMEDIATE");
  for (const LedgerRecord& record : records) {
    if (!status.ok()) break;
    writer_.set_calls.Reset();
    writer_.set_calls.Bind(1, MonthName(record.month));
    writer_.set_calls.Bind(2, record.calls);
    status = writer_.set_calls.Run();
  }
  if (status.ok()) status = writer_.database.Execute("COMMIT");
  // Some errors have rolled it back already.
  if (!status.ok()) writer_.database.Execute("ROLLBACK").IgnoreError();
  {
    absl::MutexLock lock(&mutex_);
    Note("counting calls", status, "after a crash this month's calls would be counted too low", stats_.ledger_failing);
  }
  for (LedgerRecord& record : records) record.done(status);
}

void StateStore::WriteTasks(std::deque<TaskSnapshotPtr> tasks) {
  int64_t stored = 0;
  {
    absl::MutexLock lock(&mutex_);
    stored = stats_.tasks;
  }
  const absl::Status status = InsertTasks(tasks, stored);

  absl::MutexLock lock(&mutex_);
  Note("keeping ended tasks", status, "after a restart they would have to be asked for again", stats_.tasks_failing);
  if (status.ok()) {
    stats_.tasks = stored;
    next_attempt_ = absl::InfinitePast();
  } else if (stopping_) {
    stats_.tasks_lost += tasks.size();
    spdlog::warn("state file: {} ended tasks were not written", tasks.size());
  } else {
    tasks_.insert(tasks_.begin(), std::make_move_iterator(tasks.begin()), std::make_move_iterator(tasks.end()));
    next_attempt_ = absl::Now() + options_.retry_interval;
  }
}

absl::Status StateStore::InsertTasks(const std::deque<TaskSnapshotPtr>& tasks, int64_t& stored) {
  absl::Status status = writer_.database.Execute("BEGIN IMMEDIATE");
  for (const TaskSnapshotPtr& task : tasks) {
    if (!status.ok()) break;
    BindTask(writer_.add_task, *task);
    status = writer_.add_task.Run();
    if (status.ok()) stored += writer_.database.Changes();
  }
  const int64_t surplus = stored - static_cast<int64_t>(options_.max_tasks);
  if (status.ok() && surplus > 0) {
    writer_.drop_tasks.Reset();
    writer_.drop_tasks.Bind(1, surplus);
    status = writer_.drop_tasks.Run();
    if (status.ok()) stored -= writer_.database.Changes();
  }
  if (status.ok()) status = writer_.database.Execute("COMMIT");
  if (!status.ok()) writer_.database.Execute("ROLLBACK").IgnoreError();
  return status;
}

void StateStore::Note(absl::string_view what, const absl::Status& status, absl::string_view consequence,
                      bool& failing) const {
  if (status.ok() != failing) return;
  failing = !status.ok();
  if (failing) {
    spdlog::error("state file {}: {} fails: {}; {}", options_.path, std::string(what), std::string(status.message()),
                  std::string(consequence));
  } else {
    spdlog::info("state file {}: {} works again", options_.path, std::string(what));
  }
}

}  // namespace taskwatch
