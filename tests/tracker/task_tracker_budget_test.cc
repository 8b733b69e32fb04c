// What the tracker does so that few calls are made: nothing twice after a restart, no poll before its time, and callers
// first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_source.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_subscriber.h"
#include "service/tracker/task_tracker.h"
#include "tests/fakes/fake_finished_tasks.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

class Watcher final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { last = snapshot; }
  void OnError(const absl::Status& status) override { error = status; }

  TaskSnapshotPtr last;
  absl::Status error;
};

class TaskTrackerBudget : public testing::Test {
 protected:
  // Lets time pass until the task is polled; how much.
  absl::Duration AwaitPoll() {
    const absl::Time start = loop_.Now();
    while (source_.in_flight() == 0 && loop_.Now() < start + absl::Hours(1)) loop_.RunFor(absl::Seconds(1));
    EXPECT_EQ(source_.in_flight(), 1u);
    return loop_.Now() - start;
  }

  TaskTrackerBudget() { Restart(); }

  // A new process: nothing is in memory any more.
  void Restart() {
    tracker_.reset();
    cache_ = std::make_unique<SnapshotCache>(1000);
    TaskTracker::Options options;
    options.finished_tasks = &finished_;
    options.slowdown = [this] { return slowdown_; };
    tracker_ = std::make_unique<TaskTracker>(&loop_, &source_, cache_.get(), options);
  }

  using Answer = std::optional<absl::StatusOr<TaskSnapshotPtr>>;
  std::shared_ptr<Answer> Get(absl::Duration timeout = absl::InfiniteDuration()) {
    auto answer = std::make_shared<Answer>();
    tracker_->Get("abcd", absl::ZeroDuration(), loop_.Now() + timeout,
                  [answer](absl::StatusOr<TaskSnapshotPtr> result) { *answer = std::move(result); });
    return answer;
  }
  TaskTracker::WatchStart Watch() {
    absl::StatusOr<TaskTracker::WatchStart> start = tracker_->Watch("abcd", std::nullopt, &watcher_);
    EXPECT_THAT(start, IsOk());
    return *std::move(start);
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  FakeFinishedTasks finished_;
  double slowdown_ = 1;
  Watcher watcher_;
  std::unique_ptr<SnapshotCache> cache_;
  std::unique_ptr<TaskTracker> tracker_;
};

TEST_F(TaskTrackerBudget, KeepsATaskThatHasEnded) {
  Get();
  source_.Answer(Running(1));
  EXPECT_TRUE(finished_.tasks.empty());
  Get();
  source_.Answer(Succeeded());
  ASSERT_EQ(finished_.tasks.count("abcd"), 1u);
  EXPECT_EQ(finished_.tasks["abcd"]->first_observe_time, loop_.Now());
}

TEST_F(TaskTrackerBudget, AsksNobodyAboutATaskThatEndedBeforeTheRestart) {
  Get();
  source_.Answer(Succeeded());
  const TaskSnapshotPtr before = cache_->Find("abcd");
  Restart();
  loop_.RunFor(absl::Hours(1));

  const auto answer = Get();
  loop_.RunPosted();
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((**answer)->get()->etag, before->etag);
  EXPECT_EQ((**answer)->get()->observe_time, before->observe_time);
  EXPECT_EQ(source_.fetches(), 1);
  EXPECT_EQ(tracker_->stats().recalled, 1u);
}

TEST_F(TaskTrackerBudget, TellsAWatcherOfAnEndBeforeTheRestart) {
  Get();
  source_.Answer(Succeeded());
  Restart();
  const TaskTracker::WatchStart start = Watch();
  EXPECT_EQ(start.id, 0u);
  ASSERT_NE(start.snapshot, nullptr);
  EXPECT_EQ(start.snapshot->info.state, TaskState::kSucceeded);
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerBudget, LooksUpATaskOnceHoweverManyAskForIt) {
  for (int i = 0; i < 100; ++i) Get();
  Watch();
  EXPECT_EQ(finished_.lookups, 1);
}

TEST_F(TaskTrackerBudget, FetchesForACallerUntilTheLatestDeadline) {
  const absl::Time start = loop_.Now();
  Get(absl::Seconds(5));
  EXPECT_EQ(source_.options().priority, Priority::kCaller);
  EXPECT_EQ(source_.options().deadline, start + absl::Seconds(5));
  Get(absl::Seconds(9));
  Get(absl::Seconds(7));
  EXPECT_EQ(source_.options().deadline, start + absl::Seconds(9));
}

TEST_F(TaskTrackerBudget, FetchesForWhoeverKnowsNothingYetAsForACaller) {
  Watch();
  EXPECT_EQ(source_.options().priority, Priority::kCaller);
  EXPECT_EQ(source_.options().deadline, absl::InfiniteFuture());
}

TEST_F(TaskTrackerBudget, PollsBehindCallers) {
  Watch();
  source_.Answer(Running(1));
  AwaitPoll();
  ASSERT_EQ(source_.in_flight(), 1u);
  EXPECT_EQ(source_.options().priority, Priority::kPoll);
  EXPECT_EQ(source_.options().deadline, absl::InfiniteFuture());
}

TEST_F(TaskTrackerBudget, MakesAPollMoreUrgentWhenACallerJoinsIt) {
  Watch();
  source_.Answer(Running(1));
  AwaitPoll();
  Get(absl::Seconds(5));
  EXPECT_EQ(source_.options().priority, Priority::kCaller);
  EXPECT_EQ(source_.options().deadline, absl::InfiniteFuture()) << "the watcher can wait longer";
}

TEST_F(TaskTrackerBudget, FreesAFetchOfItsDeadlineWhenAWatcherJoinsIt) {
  Get(absl::Seconds(5));
  Watch();
  EXPECT_EQ(source_.options().deadline, absl::InfiniteFuture());
}

TEST_F(TaskTrackerBudget, WaitsLongerBetweenPollsWhenTheMonthRunsShort) {
  Watch();
  source_.Answer(Running(1));
  const absl::Duration unhurried = AwaitPoll();
  slowdown_ = 30;
  source_.Answer(Running(1));
  EXPECT_GT(AwaitPoll(), 10 * unhurried);
}

TEST_F(TaskTrackerBudget, TellsWhenAndWhyAPollWasPutOffAndKeepsTheWatch) {
  Watch();
  source_.Answer(Running(1));
  AwaitPoll();
  const absl::Status put_off = Error(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, absl::Hours(5));
  source_.Answer(put_off);
  const TaskTracker::PollState state = tracker_->PollStateOf("abcd");
  EXPECT_GE(state.next_poll_time, loop_.Now() + absl::Hours(5));
  EXPECT_LT(state.next_poll_time, loop_.Now() + absl::Hours(5) + absl::Seconds(5));
  EXPECT_EQ(state.last_error, put_off);
  EXPECT_THAT(watcher_.error, IsOk());

  loop_.RunFor(state.next_poll_time - loop_.Now());
  EXPECT_EQ(source_.fetches(), 3);
}

TEST_F(TaskTrackerBudget, TriesAgainForAsLongAsTheCallerCanWaitWhenDingTalkFindsItTooFast) {
  const auto answer = Get(absl::Seconds(30));
  const absl::Status too_fast = Error(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1));
  for (int attempt = 1; attempt <= 8; ++attempt) {
    ASSERT_EQ(source_.in_flight(), 1u) << "given up after " << attempt - 1;
    source_.Answer(too_fast);
    loop_.RunFor(absl::Seconds(2));
  }
  EXPECT_FALSE(answer->has_value());
  source_.Answer(Running(1));
  EXPECT_THAT(**answer, IsOk());
}

TEST_F(TaskTrackerBudget, GivesUpInTheEndForACallerWhoWouldWaitForEver) {
  const auto answer = Get();
  const absl::Status too_fast = Error(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(1));
  while (!answer->has_value() && loop_.Elapsed() < absl::Minutes(10)) {
    if (source_.in_flight() > 0) source_.Answer(too_fast);
    loop_.RunFor(absl::Seconds(1));
  }
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((*answer)->status(), too_fast);
  EXPECT_GT(loop_.Elapsed(), absl::Minutes(1));
}

}  // namespace
}  // namespace taskwatch
