#include "service/store/state_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/call_ledger.h"
#include "service/store/database.h"
#include "service/task/task_info.h"
#include "tests/matchers/status_matchers.h"
#include "tests/patience/patience.h"
#include "tests/store/temporary_folder.h"

namespace taskwatch {
namespace {

using testing::HasSubstr;

constexpr absl::CivilMonth kMonth(2027, 1);

TaskSnapshotPtr Ended(absl::string_view task_id, TaskState state = TaskState::kSucceeded) {
  auto snapshot = std::make_shared<TaskSnapshot>();
  snapshot->info.task_id = std::string(task_id);
  snapshot->info.state = state;
  snapshot->info.upstream_status = 1;
  snapshot->info.total_count = 7;
  snapshot->info.succeeded_count = 6;
  snapshot->etag = EtagOf(snapshot->info);
  snapshot->first_observe_time = absl::FromUnixNanos(1'800'000'000'000'000'001);
  snapshot->change_time = snapshot->first_observe_time + absl::Seconds(5);
  snapshot->observe_time = snapshot->first_observe_time + absl::Seconds(9);
  return snapshot;
}

// File permissions bind even root while this exists.
class WithoutRootsPowers {
 public:
  WithoutRootsPowers() {
    syscall(SYS_capget, &header_, before_);
    __user_cap_data_struct now[2] = {before_[0], before_[1]};
    now[0].effective &= ~((1u << CAP_DAC_OVERRIDE) | (1u << CAP_DAC_READ_SEARCH));
    syscall(SYS_capset, &header_, now);
  }
  ~WithoutRootsPowers() { syscall(SYS_capset, &header_, before_); }

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2] = {};
};

class StateStoreTest : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<StateStore>> TryOpen() {
    options_.path = path_;
    return StateStore::Open(options_);
  }
  std::unique_ptr<StateStore> Open() {
    absl::StatusOr<std::unique_ptr<StateStore>> store = TryOpen();
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      abort();
    }
    return *std::move(store);
  }

  // What opening says; it must name the flag and be one line.
  absl::Status Refusal() {
    const absl::Status refusal = TryOpen().status();
    EXPECT_TRUE(absl::StartsWith(refusal.message(), absl::StrCat("--state_file '", path_, "' "))) << refusal;
    EXPECT_FALSE(absl::StrContains(refusal.message(), "\n")) << refusal;
    return refusal;
  }

  static absl::Status Record(StateStore& store, absl::CivilMonth month, int64_t calls) {
    absl::Status result;
    absl::Notification done;
    store.Record(month, calls, [&](const absl::Status& status) {
      result = status;
      done.Notify();
    });
    Await(done, "the store to record a number of calls");
    return result;
  }

  void WriteFile(absl::string_view content) { std::ofstream(path_, std::ios::binary) << content; }

  void Execute(const std::string& sql) {
    absl::StatusOr<Database> database = Database::Open(path_, Database::Mode::kReadWriteCreate);
    ASSERT_THAT(database, IsOk());
    const absl::Status result = database->Execute(sql);
    ASSERT_THAT(result, IsOk());
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.File("taskwatch.db");
  StateStore::Options options_;
};

TEST_F(StateStoreTest, KeepsTheWholeSnapshotOfAnEndedTask) {
  const TaskSnapshotPtr put = Ended("abcd", TaskState::kPartiallyFailed);
  Open()->Put(put);
  const TaskSnapshotPtr found = Open()->Find("abcd");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->info, put->info);
  EXPECT_EQ(found->etag, put->etag);
  EXPECT_EQ(found->observe_time, put->observe_time);
  EXPECT_EQ(found->change_time, put->change_time);
  EXPECT_EQ(found->first_observe_time, put->first_observe_time);
}

TEST_F(StateStoreTest, KeepsEveryFinalStateAndNoOther) {
  const std::vector<TaskState> all = {TaskState::kWaiting,         TaskState::kRunning,   TaskState::kSucceeded,
                                      TaskState::kPartiallyFailed, TaskState::kAllFailed, TaskState::kFailed,
                                      TaskState::kUnrecognized};
  {
    const auto store = Open();
    for (const TaskState state : all) store->Put(Ended(TaskStateName(state), state));
  }
  const auto store = Open();
  for (const TaskState state : all) {
    const TaskSnapshotPtr found = store->Find(TaskStateName(state));
    ASSERT_EQ(found != nullptr, IsDone(state)) << TaskStateName(state);
    if (found != nullptr) {
      EXPECT_EQ(found->info.state, state);
    }
  }
}

TEST_F(StateStoreTest, KnowsNothingOfATaskThatWasNotPut) {
  const auto store = Open();
  EXPECT_EQ(store->Find("abcd"), nullptr);
  EXPECT_EQ(store->stats().lookups, 1u);
  EXPECT_EQ(store->stats().hits, 0u);
}

TEST_F(StateStoreTest, LetsTheFirstFinalStateStand) {
  const auto store = Open();
  store->Put(Ended("abcd", TaskState::kSucceeded));
  store->Put(Ended("abcd", TaskState::kFailed));
  store->Flush();
  EXPECT_EQ(store->Find("abcd")->info.state, TaskState::kSucceeded);
  EXPECT_EQ(store->stats().tasks, 1);
}

TEST_F(StateStoreTest, DropsTheTasksThatCameFirstWhenThereAreTooMany) {
  options_.max_tasks = 3;
  const auto store = Open();
  for (int i = 1; i <= 5; ++i) {
    store->Put(Ended(absl::StrCat("task-", i)));
    store->Flush();
  }
  EXPECT_EQ(store->stats().tasks, 3);
  EXPECT_EQ(store->Find("task-2"), nullptr);
  EXPECT_NE(store->Find("task-3"), nullptr);
  EXPECT_NE(store->Find("task-5"), nullptr);
}

TEST_F(StateStoreTest, DoesNotGrowBeyondWhatItsTasksNeed) {
  options_.max_tasks = 50;
  const auto store = Open();
  const auto fill = [&](int from) {
    // One at a time: the file also has room for what the writer takes at once, which is up to the writer.
    for (int i = from; i < from + 200; ++i) {
      store->Put(Ended(absl::StrCat("task-", i)));
      store->Flush();
    }
    Execute("PRAGMA wal_checkpoint(TRUNCATE)");
    return std::filesystem::file_size(path_);
  };
  const uintmax_t size = fill(0);
  EXPECT_LE(fill(10'000), size);
}

TEST_F(StateStoreTest, CountsTheCallsOfEachMonth) {
  {
    const auto store = Open();
    EXPECT_THAT(store->CallsIn(kMonth), IsOkAndHolds(0));
    EXPECT_THAT(Record(*store, kMonth, 10), IsOk());
    EXPECT_THAT(Record(*store, kMonth, 20), IsOk());
    EXPECT_THAT(Record(*store, kMonth + 1, 3), IsOk());
    EXPECT_THAT(store->CallsIn(kMonth), IsOkAndHolds(20));
  }
  const auto store = Open();
  EXPECT_THAT(store->CallsIn(kMonth), IsOkAndHolds(20));
  EXPECT_THAT(store->CallsIn(kMonth + 1), IsOkAndHolds(3));
  EXPECT_THAT(store->CallsIn(kMonth + 2), IsOkAndHolds(0));
}

TEST_F(StateStoreTest, CanBeTakenBackToWhatWasReallyUsed) {
  const auto store = Open();
  EXPECT_THAT(Record(*store, kMonth, 20), IsOk());
  EXPECT_THAT(Record(*store, kMonth, 13), IsOk());
  EXPECT_THAT(store->CallsIn(kMonth), IsOkAndHolds(13));
}

TEST_F(StateStoreTest, LosesNothingThatWasRecordedWhenTheProcessIsKilled) {
  const pid_t child = fork();
  if (child == 0) {
    absl::StatusOr<std::unique_ptr<StateStore>> store = TryOpen();
    const bool recorded = store.ok() && Record(**store, kMonth, 42).ok();
    if (recorded) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_THAT(Open()->CallsIn(kMonth), IsOkAndHolds(42));
}

TEST_F(StateStoreTest, RefusesAFileThatAnotherProcessUses) {
  int ready[2];
  int end[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(end), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(end[1]);
    const auto store = TryOpen();
    char byte = store.ok() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) == 1 && read(end[0], &byte, 1) == 0) kill(getpid(), SIGKILL);
    _exit(1);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const absl::Status refusal = Refusal();
  EXPECT_THAT(refusal,
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(absl::StrCat("is in use by process ", child))));

  close(end[1]);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(TryOpen(), IsOk()) << "the lock has outlived its owner";
  for (const int fd : {ready[0], ready[1], end[0]}) close(fd);
}

TEST_F(StateStoreTest, RefusesAFileThatIsNoDatabase) {
  WriteFile(std::string(8192, 'x'));
  const absl::Status refusal = Refusal();
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kDataLoss, HasSubstr("is damaged or not a database")));
}

TEST_F(StateStoreTest, RefusesADamagedFile) {
  {
    const auto store = Open();
    for (int i = 0; i < 2000; ++i) store->Put(Ended(absl::StrCat("task-", i)));
  }
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(5 * 4096);
  file << std::string(3 * 4096, '\x5a');
  file.close();
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(StateStoreTest, RefusesATruncatedFile) {
  {
    const auto store = Open();
    for (int i = 0; i < 2000; ++i) store->Put(Ended(absl::StrCat("task-", i)));
  }
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(StateStoreTest, RefusesAReadOnlyFile) {
  Open();
  std::filesystem::permissions(path_, std::filesystem::perms::owner_read);
  const WithoutRootsPowers powerless;
  const absl::Status refusal = Refusal();
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kPermissionDenied,
                                HasSubstr("cannot be opened for writing: the file is read-only")));
}

TEST_F(StateStoreTest, RefusesAReadOnlyFolder) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  {
    const WithoutRootsPowers powerless;
    EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kPermissionDenied));
  }
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_all);
}

TEST_F(StateStoreTest, RefusesAFolderThatDoesNotExist) {
  std::filesystem::remove(folder_.path());
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kPermissionDenied));
  std::filesystem::create_directory(folder_.path());
}

TEST_F(StateStoreTest, RefusesAFileWithoutRoomForIt) {
  options_.max_pages = 2;
  const absl::Status refusal = Refusal();
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("make room")));
}

TEST_F(StateStoreTest, RefusesANewerSchema) {
  Open();
  Execute("PRAGMA user_version = 1000");
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer version of Taskwatch")));
}

TEST_F(StateStoreTest, RefusesAnotherProgramsDatabaseAndLeavesItAlone) {
  Execute("CREATE TABLE bookmarks (url TEXT)");
  const auto before = std::filesystem::last_write_time(path_);
  EXPECT_THAT(Refusal(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another program's database")));
  EXPECT_EQ(std::filesystem::last_write_time(path_), before);
}

TEST_F(StateStoreTest, GoesOnWhenTheFileIsFullAndWritesAgainWhenThereIsRoom) {
  constexpr int kTasks = 1000;
  options_.max_pages = 32;
  options_.retry_interval = absl::Hours(1);
  const auto store = Open();
  Execute("CREATE TABLE filler AS SELECT zeroblob(100 * 4096)");
  for (int i = 0; i < kTasks; ++i) store->Put(Ended(absl::StrCat("task-", i)));
  store->Flush();
  // The writer takes what has come meanwhile, be it one task or all: the pages that were there may have had room for
  // some.
  const StateStore::Stats full = store->stats();
  EXPECT_TRUE(full.tasks_failing);
  EXPECT_GT(full.tasks_pending, 0u);
  EXPECT_EQ(full.tasks + static_cast<int64_t>(full.tasks_pending), kTasks);
  EXPECT_EQ(full.tasks_lost, 0u);
  int64_t found = 0;
  for (int i = 0; i < kTasks; ++i) found += store->Find(absl::StrCat("task-", i)) != nullptr ? 1 : 0;
  EXPECT_EQ(found, full.tasks) << "what has failed must leave nothing behind";
  EXPECT_FALSE(store->stats().reading_failing);
  EXPECT_TRUE(Record(*store, kMonth, 10).ok()) << "what takes no new page can still be written";
  EXPECT_FALSE(store->stats().ledger_failing);

  Execute("DROP TABLE filler");
  store->Flush();
  EXPECT_FALSE(store->stats().tasks_failing);
  EXPECT_EQ(store->stats().tasks, kTasks);
  EXPECT_EQ(store->stats().tasks_pending, 0u);
  EXPECT_NE(store->Find(absl::StrCat("task-", kTasks - 1)), nullptr);
}

TEST_F(StateStoreTest, TellsThatACallIsNotCountedWhileTheFileIsLocked) {
  const auto store = Open();
  absl::StatusOr<Database> other = Database::Open(path_, Database::Mode::kReadWriteCreate);
  ASSERT_THAT(other, IsOk());
  ASSERT_THAT(other->Execute("BEGIN IMMEDIATE"), IsOk());
  EXPECT_THAT(Record(*store, kMonth, 10), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(store->stats().ledger_failing);
  EXPECT_THAT(store->CallsIn(kMonth), IsOkAndHolds(0)) << "readers wait for no writer";

  ASSERT_THAT(other->Execute("COMMIT"), IsOk());
  EXPECT_THAT(Record(*store, kMonth, 20), IsOk());
  EXPECT_FALSE(store->stats().ledger_failing);
  EXPECT_THAT(store->CallsIn(kMonth), IsOkAndHolds(20));
}

TEST_F(StateStoreTest, WritesTasksThatFailedOnceTheyCanBe) {
  const auto store = Open();
  absl::StatusOr<Database> other = Database::Open(path_, Database::Mode::kReadWriteCreate);
  ASSERT_THAT(other, IsOk());
  ASSERT_THAT(other->Execute("BEGIN IMMEDIATE"), IsOk());
  store->Put(Ended("abcd"));
  store->Flush();
  EXPECT_TRUE(store->stats().tasks_failing);
  ASSERT_THAT(other->Execute("COMMIT"), IsOk());
  store->Flush();
  EXPECT_FALSE(store->stats().tasks_failing);
  EXPECT_NE(store->Find("abcd"), nullptr);
}

TEST_F(StateStoreTest, TakesADamagedRowForNone) {
  const auto store = Open();
  store->Put(Ended("abcd"));
  store->Flush();
  Execute("UPDATE finished_task SET state = 'RUNNING'");
  EXPECT_EQ(store->Find("abcd"), nullptr);
}

TEST_F(StateStoreTest, ReadsNothingFromATableThatHasGone) {
  const auto store = Open();
  store->Put(Ended("abcd"));
  store->Flush();
  Execute("DROP TABLE finished_task");
  EXPECT_EQ(store->Find("abcd"), nullptr);
  EXPECT_TRUE(store->stats().reading_failing);
}

}  // namespace
}  // namespace taskwatch
