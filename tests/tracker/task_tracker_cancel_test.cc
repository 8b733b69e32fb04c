// What nobody waits for any more costs nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/priority.h"
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

using testing::Optional;

class Watcher final : public TaskSubscriber {
 public:
  void OnUpdate(const TaskSnapshotPtr& snapshot) override { last = snapshot; }
  void OnError(const absl::Status& status) override { error = status; }

  TaskSnapshotPtr last;
  absl::Status error;
};

class TaskTrackerCancel : public testing::Test {
 protected:
  using Answer = std::optional<absl::StatusOr<TaskSnapshotPtr>>;

  // Fetches wait for their turn until a test says else.
  TaskTrackerCancel() { source_.calling = false; }

  Answer* Ask(absl::Duration max_staleness, absl::Duration timeout = absl::InfiniteDuration()) {
    answers_.push_back(std::make_unique<Answer>());
    Answer* const answer = answers_.back().get();
    last_get_ = tracker_.Get("abcd", max_staleness, loop_.Now() + timeout,
                             [answer](absl::StatusOr<TaskSnapshotPtr> result) { answer->emplace(std::move(result)); });
    return answer;
  }
  TaskTracker::WatchId Watch() {
    const absl::StatusOr<TaskTracker::WatchStart> start = tracker_.Watch("abcd", std::nullopt, &watcher_);
    EXPECT_THAT(start, IsOk());
    return start.value_or(TaskTracker::WatchStart()).id;
  }

  void ExpectNothingLeft() {
    EXPECT_EQ(source_.in_flight(), 0u);
    EXPECT_EQ(tracker_.stats().entries, 0u);
    EXPECT_EQ(tracker_.stats().fetches_failed, 0u);
    EXPECT_EQ(loop_.TimerCount(), 0u);
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  TaskTracker tracker_{&loop_, &source_, &cache_, TaskTracker::Options{}};
  Watcher watcher_;
  std::vector<std::unique_ptr<Answer>> answers_;
  TaskTracker::GetId last_get_ = 0;
};

TEST_F(TaskTrackerCancel, GivesUpTheFetchOfAGetThatWasCancelled) {
  Ask(absl::Seconds(1));
  EXPECT_TRUE(tracker_.CancelGet("abcd", last_get_));
  EXPECT_EQ(source_.cancelled(), 1);
  EXPECT_EQ(tracker_.stats().fetches_cancelled, 1u);
  ExpectNothingLeft();
}

TEST_F(TaskTrackerCancel, GivesUpTheFetchOfAGetWhoseDeadlineHasPassed) {
  Answer* const answer = Ask(absl::Seconds(1), absl::Seconds(3));
  loop_.RunFor(absl::Seconds(3));
  EXPECT_THAT(*answer, Optional(StatusIs(absl::StatusCode::kDeadlineExceeded)));
  EXPECT_EQ(source_.cancelled(), 1);
  ExpectNothingLeft();
}

TEST_F(TaskTrackerCancel, GivesUpTheFetchOfAWatcherWhoHasLeft) {
  tracker_.Unwatch("abcd", Watch());
  EXPECT_EQ(source_.cancelled(), 1);
  ExpectNothingLeft();
}

TEST_F(TaskTrackerCancel, GivesUpAPollThatNobodyWaitsForAnyMore) {
  const TaskTracker::WatchId id = Watch();
  source_.Answer(Running(1));
  while (source_.in_flight() == 0 && loop_.Elapsed() < absl::Hours(1)) loop_.RunFor(absl::Seconds(1));
  ASSERT_EQ(source_.in_flight(), 1u);
  tracker_.Unwatch("abcd", id);
  EXPECT_EQ(source_.cancelled(), 1);
  ExpectNothingLeft();
}

TEST_F(TaskTrackerCancel, GivesNothingUpThatSomebodyStillWaitsFor) {
  Answer* const patient = Ask(absl::Seconds(1));
  Ask(absl::Seconds(1));
  tracker_.CancelGet("abcd", last_get_);
  tracker_.Unwatch("abcd", Watch());
  EXPECT_EQ(source_.cancelled(), 0);
  const TaskTracker::WatchId id = Watch();
  source_.Answer(Running(1));
  EXPECT_THAT(*patient, Optional(IsOk()));
  EXPECT_NE(watcher_.last, nullptr);
  tracker_.Unwatch("abcd", id);
}

TEST_F(TaskTrackerCancel, KeepsWhatACallBringsThatHasBeenMade) {
  source_.calling = true;
  Ask(absl::Seconds(1));
  tracker_.CancelGet("abcd", last_get_);
  EXPECT_EQ(source_.cancelled(), 0);
  EXPECT_EQ(tracker_.stats().entries, 1u) << "the call is under way";
  source_.Answer(Succeeded());
  EXPECT_NE(cache_.Find("abcd"), nullptr);
  ExpectNothingLeft();
}

TEST_F(TaskTrackerCancel, FetchesAgainForTheNextWhoAsks) {
  Ask(absl::Seconds(1));
  tracker_.CancelGet("abcd", last_get_);
  Answer* const next = Ask(absl::Seconds(1));
  EXPECT_EQ(source_.fetches(), 2);
  source_.Answer(Running(1));
  EXPECT_THAT(*next, Optional(IsOk()));
}

TEST_F(TaskTrackerCancel, AnswersAGetOfZeroStalenessWithAFetchThatStillWaitsForItsTurn) {
  Ask(absl::Seconds(1));
  Answer* const fresh = Ask(absl::ZeroDuration());
  source_.Answer(Running(1));
  EXPECT_THAT(*fresh, Optional(IsOk()));
  EXPECT_EQ(source_.fetches(), 1) << "the call was made after both had asked";
}

TEST_F(TaskTrackerCancel, GivesTheGetsOfAPollThatIsPutOffAFetchOfTheirOwnAtOnce) {
  Watch();
  source_.Answer(Running(1));
  while (source_.in_flight() == 0 && loop_.Elapsed() < absl::Hours(1)) loop_.RunFor(absl::Seconds(1));
  Answer* const answer = Ask(absl::Milliseconds(500));
  const absl::Status deferred = NotAsked(ErrorReason::kPollDeferred, Persistence::kPaused, absl::Hours(5));
  for (int i = 0; i < 5; ++i) {
    SCOPED_TRACE(i);
    source_.Answer(deferred);
    ASSERT_EQ(source_.in_flight(), 1u) << "the caller waits although the reserve has calls";
    EXPECT_EQ(source_.options().priority, Priority::kCaller);
    EXPECT_FALSE(answer->has_value());
  }
  EXPECT_EQ(tracker_.PollStateOf("abcd").last_error, deferred) << "heartbeats tell why the poll waits";
  source_.Answer(Running(2));
  EXPECT_THAT(*answer, Optional(IsOk()));
  EXPECT_THAT(tracker_.PollStateOf("abcd").last_error, IsOk());
}

TEST_F(TaskTrackerCancel, TellsInThePollStateThatAPollIsDeferredAndUntilWhen) {
  Watch();
  source_.Answer(Running(1));
  while (source_.in_flight() == 0 && loop_.Elapsed() < absl::Hours(1)) loop_.RunFor(absl::Seconds(1));
  source_.Answer(NotAsked(ErrorReason::kPollDeferred, Persistence::kPaused, absl::Hours(5)));
  const TaskTracker::PollState state = tracker_.PollStateOf("abcd");
  EXPECT_THAT(state.last_error, HasReason(ErrorReason::kPollDeferred));
  EXPECT_EQ(DetailsOf(state.last_error).retry_after, absl::Hours(5));
  EXPECT_GE(state.next_poll_time, loop_.Now() + absl::Hours(5));
  EXPECT_THAT(watcher_.error, IsOk());
}

TEST_F(TaskTrackerCancel, TellsACallerAtOnceWhyNothingWasAsked) {
  const std::vector<absl::Status> errors = {
      NotAsked(ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1)),
      NotAsked(ErrorReason::kUpstreamRateLimited, Persistence::kPaused, absl::Seconds(1)),
      NotAsked(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent, absl::Seconds(30)),
      NotAsked(ErrorReason::kMonthlyQuotaExhausted, Persistence::kPaused, absl::Hours(24)),
      Error(ErrorReason::kUpstreamUntrusted, Persistence::kTransient),
  };
  for (const absl::Status& error : errors) {
    Answer* const answer = Ask(absl::Seconds(1));
    source_.Answer(error);
    ASSERT_TRUE(answer->has_value()) << error;
    EXPECT_EQ((*answer)->status(), error);
    EXPECT_EQ(source_.in_flight(), 0u) << error;
  }
}

}  // namespace
}  // namespace taskwatch
