// What is known of a task that nobody asks for at the moment, and what comes of it for whoever comes back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
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

using testing::IsEmpty;
using testing::SizeIs;

class Watcher final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { updates.push_back(snapshot); }
  void OnError(const absl::Status& status) override { errors.push_back(status); }

  std::vector<TaskSnapshotPtr> updates;
  std::vector<absl::Status> errors;
};

class TaskTrackerLinger : public testing::Test {
 protected:
  static TaskTracker::Options SomeOptions() {
    TaskTracker::Options options;
    options.lingering.max_tasks = 100;
    return options;
  }

  TaskTracker::WatchId Watch(const std::string& task_id = "abcd") {
    const absl::StatusOr<TaskTracker::WatchStart> start = tracker_.Watch(task_id, std::nullopt, &watcher_);
    EXPECT_THAT(start, IsOk());
    return start.value_or(TaskTracker::WatchStart()).id;
  }

  // Polls until the task is so old, and returns when the next poll is due.
  absl::Time PollUntil(absl::Duration age) {
    source_.Answer(Running(1));
    while (loop_.Elapsed() < age) {
      loop_.RunFor(tracker_.PollStateOf("abcd").next_poll_time - loop_.Now());
      source_.Answer(Running(1));
    }
    return tracker_.PollStateOf("abcd").next_poll_time;
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  TaskTracker tracker_{&loop_, &source_, &cache_, SomeOptions()};
  Watcher watcher_;
};

TEST_F(TaskTrackerLinger, GoesOnWithThePlanForAWatcherWhoComesBackBeforeTheNextPoll) {
  const TaskTracker::WatchId id = Watch();
  const absl::Time due = PollUntil(absl::Minutes(20));
  ASSERT_GT(due, loop_.Now() + absl::Seconds(20));
  tracker_.Unwatch("abcd", id);
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(tracker_.stats().lingering, 1u);
  loop_.RunFor(absl::Seconds(10));
  const int fetches = source_.fetches();
  Watch();
  EXPECT_EQ(tracker_.stats().lingering, 0u);
  EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, due);
  loop_.RunFor(due - loop_.Now() - absl::Nanoseconds(1));
  EXPECT_EQ(source_.fetches(), fetches);
  loop_.RunFor(absl::Nanoseconds(1));
  EXPECT_EQ(source_.fetches(), fetches + 1);
}

TEST_F(TaskTrackerLinger, PollsAtOnceForAWatcherWhoComesBackAfterThePlannedPoll) {
  const TaskTracker::WatchId id = Watch();
  const absl::Time due = PollUntil(absl::Minutes(20));
  tracker_.Unwatch("abcd", id);
  const int fetches = source_.fetches();
  loop_.RunFor(due - loop_.Now() + absl::Seconds(1));
  EXPECT_EQ(source_.fetches(), fetches) << "polled for nobody";
  EXPECT_EQ(loop_.TimerCount(), 0u);
  Watch();
  EXPECT_EQ(source_.fetches(), fetches + 1);
}

TEST_F(TaskTrackerLinger, GoesOnWithThePlanAfterAGetHasComeBetween) {
  const TaskTracker::WatchId id = Watch();
  const absl::Time due = PollUntil(absl::Minutes(20));
  const absl::Duration interval = due - loop_.Now();
  tracker_.Unwatch("abcd", id);
  loop_.RunFor(absl::Seconds(5));
  tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
  source_.Answer(Running(1));
  EXPECT_EQ(tracker_.stats().lingering, 1u);
  Watch();
  EXPECT_GE(tracker_.PollStateOf("abcd").next_poll_time, loop_.Now() + interval);
}

TEST_F(TaskTrackerLinger, KeepsItsDistanceFromADingTalkThatFails) {
  const TaskTracker::WatchId id = Watch();
  for (int i = 0; i < 6; ++i) {
    source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
    loop_.RunFor(tracker_.PollStateOf("abcd").next_poll_time - loop_.Now());
  }
  const absl::Status error = Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5));
  source_.Answer(error);
  const absl::Time due = tracker_.PollStateOf("abcd").next_poll_time;
  tracker_.Unwatch("abcd", id);
  const int fetches = source_.fetches();
  for (int i = 0; i < 200; ++i) {
    loop_.RunFor(absl::Seconds(1));
    const TaskTracker::WatchId again = Watch();
    EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, due);
    EXPECT_EQ(tracker_.PollStateOf("abcd").last_error, error);
    tracker_.Unwatch("abcd", again);
  }
  EXPECT_EQ(source_.fetches(), fetches) << "somebody who comes and goes asks at each coming";
}

TEST_F(TaskTrackerLinger, CountsTransientErrorsForALoopOfWaitsAsForOneWatch) {
  const absl::Status error = Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient);
  while (watcher_.errors.empty() && loop_.Elapsed() < absl::Hours(1)) {
    const TaskTracker::WatchId id = Watch();
    for (int second = 0; second < 30 && watcher_.errors.empty(); ++second) {
      if (source_.in_flight() > 0) source_.Answer(error);
      if (watcher_.errors.empty()) loop_.RunFor(absl::Seconds(1));
    }
    tracker_.Unwatch("abcd", id);
  }
  EXPECT_THAT(watcher_.errors, SizeIs(1));
  EXPECT_GE(loop_.Elapsed(), absl::Minutes(2));
  EXPECT_LE(loop_.Elapsed(), absl::Minutes(4));
}

TEST_F(TaskTrackerLinger, GivesTheWholeErrorBudgetToAWatchAfterAWhileInWhichNobodyAsked) {
  const TaskTracker::WatchId id = Watch();
  source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
  tracker_.Unwatch("abcd", id);
  loop_.RunFor(absl::Minutes(5));
  Watch();
  source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
  EXPECT_THAT(watcher_.errors, IsEmpty()) << "one error at either end of five minutes ended the watch";
}

TEST_F(TaskTrackerLinger, AsksAtOnceAgainAfterAPermanentError) {
  Watch();
  source_.Answer(Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent));
  EXPECT_THAT(watcher_.errors, SizeIs(1));
  EXPECT_EQ(tracker_.stats().lingering, 0u);
  Watch();
  EXPECT_EQ(source_.in_flight(), 1u);
}

TEST_F(TaskTrackerLinger, KeepsNothingOfATaskThatHasEnded) {
  Watch();
  source_.Answer(Succeeded());
  EXPECT_EQ(tracker_.stats().lingering, 0u);
}

TEST_F(TaskTrackerLinger, ForgetsAfterItsTime) {
  const TaskTracker::WatchId id = Watch();
  PollUntil(absl::Minutes(20));
  tracker_.Unwatch("abcd", id);
  loop_.RunFor(absl::Minutes(10));
  tracker_.Unwatch("efgh", Watch("efgh"));
  EXPECT_EQ(tracker_.stats().lingering, 0u) << "the new one has a fetch in flight, the old one is over";
}

TEST_F(TaskTrackerLinger, KeepsABoundedNumberOfTasks) {
  for (int i = 0; i < 1000; ++i) {
    const std::string task_id = absl::StrCat("task-", i);
    const TaskTracker::WatchId id = Watch(task_id);
    source_.Answer(Running(1));
    tracker_.Unwatch(task_id, id);
  }
  EXPECT_EQ(tracker_.stats().lingering, 100u);
  EXPECT_EQ(tracker_.stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(TaskTrackerLinger, IsNotPushedOutByAFloodOfGets) {
  const TaskTracker::WatchId id = Watch();
  const absl::Time due = PollUntil(absl::Minutes(20));
  tracker_.Unwatch("abcd", id);
  for (int i = 0; i < 1000; ++i) {
    tracker_.Get(absl::StrCat("task-", i), absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
    source_.Answer(Running(1));
  }
  EXPECT_EQ(tracker_.stats().lingering, 1u);
  Watch();
  EXPECT_EQ(tracker_.PollStateOf("abcd").next_poll_time, due);
}

TEST_F(TaskTrackerLinger, AnswersWithWhatLingersAlsoWithoutRoomInTheCache) {
  SnapshotCache none(0);
  TaskTracker tracker(&loop_, &source_, &none, TaskTracker::Options());
  const TaskTracker::WatchId id = tracker.Watch("abcd", std::nullopt, &watcher_)->id;
  source_.Answer(Running(3));
  tracker.Unwatch("abcd", id);
  const absl::StatusOr<TaskTracker::WatchStart> start = tracker.Watch("abcd", std::nullopt, &watcher_);
  ASSERT_THAT(start, IsOk());
  ASSERT_NE(start->snapshot, nullptr);
  EXPECT_EQ(start->snapshot->info.succeeded_count, 3);
  EXPECT_EQ(source_.fetches(), 1);
}

}  // namespace
}  // namespace taskwatch
