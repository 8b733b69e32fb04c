// Many watchers of one task, and many tasks at one moment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

class Watcher final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { updates.push_back(snapshot); }
  void OnError(const absl::Status& status) override { error = status; }

  std::vector<TaskSnapshotPtr> updates;
  absl::Status error;
};

class TaskTrackerCrowd : public testing::Test {
 protected:
  void NewTracker(size_t cache_tasks) {
    cache_ = std::make_unique<SnapshotCache>(cache_tasks);
    TaskTracker::Options options;
    // Asked for each time that a poll is planned.
    options.slowdown = [this] {
      ++plans_;
      return 1.0;
    };
    tracker_ = std::make_unique<TaskTracker>(&loop_, &source_, cache_.get(), options);
  }
  void SetUp() override { NewTracker(1000); }

  TaskTracker::WatchStart Watch(const std::string& task_id,
                                std::optional<absl::Duration> poll_interval = std::nullopt) {
    watchers_.push_back(std::make_unique<Watcher>());
    absl::StatusOr<TaskTracker::WatchStart> start = tracker_->Watch(task_id, poll_interval, watchers_.back().get());
    EXPECT_THAT(start, IsOk());
    return start.value_or(TaskTracker::WatchStart());
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  int plans_ = 0;
  std::unique_ptr<SnapshotCache> cache_;
  std::unique_ptr<TaskTracker> tracker_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

TEST_F(TaskTrackerCrowd, PlansAnewOnlyWhenTheShortestWishChanges) {
  Watch("abcd", absl::Seconds(60));
  source_.Answer(Running(1));
  std::vector<TaskTracker::WatchId> ids;
  plans_ = 0;
  for (int i = 0; i < 20'000; ++i) ids.push_back(Watch("abcd", absl::Seconds(60 + i % 100)).id);
  EXPECT_EQ(plans_, 0) << "nobody wishes for more than is planned";
  const TaskTracker::WatchId eager = Watch("abcd", absl::Seconds(30)).id;
  EXPECT_EQ(plans_, 1);
  EXPECT_EQ(tracker_->PollStateOf("abcd").next_poll_time, loop_.Now() + absl::Seconds(30));
  tracker_->Unwatch("abcd", eager);
  EXPECT_EQ(plans_, 2);
  EXPECT_EQ(tracker_->PollStateOf("abcd").next_poll_time, loop_.Now() + absl::Seconds(60));
  for (const TaskTracker::WatchId id : ids) tracker_->Unwatch("abcd", id);
  EXPECT_EQ(plans_, 2);
}

TEST_F(TaskTrackerCrowd, ComesBackFromAPauseOverSomeSecondsAndNotInOneMoment) {
  constexpr int kTasks = 200;
  for (int i = 0; i < kTasks; ++i) Watch(absl::StrCat("task-", i));
  const absl::Time end = loop_.Now() + absl::Seconds(300);
  source_.Answer(Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)));
  for (int i = 1; i < kTasks; ++i) {
    source_.Answer(NotAsked(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Seconds(300)));
  }
  const int before = source_.fetches();
  loop_.RunFor(end - loop_.Now() - absl::Nanoseconds(1));
  EXPECT_EQ(source_.fetches(), before) << "during the pause";
  size_t most = 0;
  for (int i = 0; i < 50; ++i) {
    const size_t in_flight = source_.in_flight();
    loop_.RunFor(absl::Milliseconds(100));
    most = std::max(most, source_.in_flight() - in_flight);
  }
  EXPECT_EQ(source_.in_flight(), kTasks) << "later than five seconds after the pause";
  std::cout << kTasks << " polls after a pause: at most " << most << " in a tenth of a second\n";
  EXPECT_LE(most, 20u);
}

TEST_F(TaskTrackerCrowd, TriesAgainAsSoonAsItMayHoweverOftenItWasRefusedWithoutACall) {
  Watch("abcd");
  for (int i = 0; i < 30; ++i) {
    source_.Answer(NotAsked(ErrorReason::kUpstreamRateLimited, Persistence::kPaused, absl::Seconds(1)));
    loop_.RunFor(absl::Seconds(5));
    ASSERT_EQ(source_.in_flight(), 1u) << "after " << i + 1 << " refusals";
  }
}

// The final state is being told to a thousand watchers, is evicted meanwhile, and the task is watched and got again.
TEST_F(TaskTrackerCrowd, AddsNobodyToAnAudienceThatIsBeingToldTheEndAlsoWithoutRoomInTheCache) {
  for (const size_t cache_tasks : {0, 1, 2}) {
    SCOPED_TRACE(cache_tasks);
    NewTracker(cache_tasks);
    watchers_.clear();
    const int fetches = source_.fetches();
    for (int i = 0; i < 1000; ++i) Watch("abcd");
    source_.Answer(Succeeded());
    ASSERT_TRUE(watchers_.back()->updates.empty()) << "it is still being told";
    // Evicts it.
    for (int i = 0; i < 5; ++i) {
      tracker_->Get(absl::StrCat("other-", i), absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
      source_.Answer(Succeeded());
    }
    ASSERT_EQ(cache_->Find("abcd"), nullptr);

    const TaskTracker::WatchStart start = Watch("abcd");
    EXPECT_EQ(start.id, 0u);
    ASSERT_NE(start.snapshot, nullptr);
    EXPECT_EQ(start.snapshot->info.state, TaskState::kSucceeded);
    absl::StatusOr<TaskSnapshotPtr> answer;
    tracker_->Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(),
                  [&answer](absl::StatusOr<TaskSnapshotPtr> result) { answer = std::move(result); });
    // Never to be called again; a sanitizer tells if it is.
    watchers_.pop_back();
    loop_.RunPosted();

    for (const auto& watcher : watchers_) {
      ASSERT_EQ(watcher->updates.size(), 1u);
      EXPECT_EQ(watcher->updates[0]->info.state, TaskState::kSucceeded);
    }
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ((*answer)->info.state, TaskState::kSucceeded);
    EXPECT_EQ(source_.fetches(), fetches + 6) << "asked again about a task that has ended";
    EXPECT_EQ(tracker_->stats().entries, 0u);
    EXPECT_EQ(tracker_->stats().watchers, 0u);
  }
}

}  // namespace
}  // namespace taskwatch
