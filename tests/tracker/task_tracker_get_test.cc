#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

class TaskTrackerGet : public testing::Test {
 protected:
  using Answer = std::optional<absl::StatusOr<TaskSnapshotPtr>>;

  // Asks, and returns where the answer will stand.
  Answer* Ask(absl::Duration max_staleness = absl::Seconds(1), absl::Duration timeout = absl::InfiniteDuration()) {
    answers_.push_back(std::make_unique<Answer>());
    Answer* const answer = answers_.back().get();
    last_get_ = tracker_->Get("abcd", max_staleness, loop_.Now() + timeout,
                              [answer](absl::StatusOr<TaskSnapshotPtr> result) { answer->emplace(std::move(result)); });
    EXPECT_FALSE(answer->has_value()) << "answered before Get returned";
    return answer;
  }
  // As Ask, and gives an answer that is known already the time to come.
  Answer* AskAndSettle(absl::Duration max_staleness = absl::Seconds(1)) {
    Answer* const answer = Ask(max_staleness);
    loop_.RunPosted();
    return answer;
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  std::unique_ptr<TaskTracker> tracker_ =
      std::make_unique<TaskTracker>(&loop_, &source_, &cache_, TaskTracker::Options{});
  std::vector<std::unique_ptr<Answer>> answers_;
  TaskTracker::GetId last_get_ = 0;
};

TEST_F(TaskTrackerGet, AnswersWithWhatTheUpstreamSays) {
  Answer* const answer = Ask();
  EXPECT_FALSE(answer->has_value());
  loop_.RunFor(absl::Milliseconds(30));
  source_.Answer(Running(3));
  ASSERT_TRUE(answer->has_value());
  ASSERT_THAT(**answer, IsOk());
  const TaskSnapshot& snapshot = ***(*answer);
  EXPECT_EQ(snapshot.info.task_id, "abcd");
  EXPECT_EQ(snapshot.info.succeeded_count, 3);
  EXPECT_EQ(snapshot.etag, EtagOf(snapshot.info));
  EXPECT_EQ(snapshot.observe_time, loop_.Now());
  EXPECT_EQ(snapshot.change_time, loop_.Now());
  EXPECT_EQ(tracker_->stats().entries, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(TaskTrackerGet, MakesOneFetchForFiveHundredCallers) {
  for (int i = 0; i < 500; ++i) Ask();
  EXPECT_EQ(source_.fetches(), 1);
  source_.Answer(Running(1));
  for (const auto& answer : answers_) EXPECT_TRUE(answer->has_value());
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerGet, AnswersFromMemoryWhileThatIsFreshEnough) {
  Ask();
  source_.Answer(Running(1));
  loop_.RunFor(absl::Milliseconds(999));
  EXPECT_TRUE(AskAndSettle(absl::Seconds(1))->has_value());
  EXPECT_EQ(source_.fetches(), 1);
  loop_.RunFor(absl::Milliseconds(2));
  EXPECT_FALSE(AskAndSettle(absl::Seconds(1))->has_value());
  EXPECT_EQ(source_.fetches(), 2);
}

TEST_F(TaskTrackerGet, NeverFetchesATaskThatHasEndedAgain) {
  Ask();
  source_.Answer(Succeeded());
  loop_.RunFor(absl::Hours(1000));
  EXPECT_TRUE(AskAndSettle(absl::ZeroDuration())->has_value());
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerGet, WithZeroStalenessIsNotAnsweredByAFetchThatBeganBefore) {
  Answer* const early = Ask(absl::Seconds(1));
  Answer* const late = Ask(absl::ZeroDuration());
  source_.Answer(Running(1));
  EXPECT_TRUE(early->has_value());
  EXPECT_FALSE(late->has_value());
  ASSERT_EQ(source_.in_flight(), 1u);
  source_.Answer(Running(2));
  ASSERT_TRUE(late->has_value());
  EXPECT_EQ((**late)->get()->info.succeeded_count, 2);
}

TEST_F(TaskTrackerGet, WithZeroStalenessTakesAnEarlierFetchIfItFoundTheEnd) {
  Ask(absl::Seconds(1));
  Answer* const late = Ask(absl::ZeroDuration());
  source_.Answer(Succeeded());
  EXPECT_TRUE(late->has_value());
  EXPECT_EQ(source_.in_flight(), 0u);
}

TEST_F(TaskTrackerGet, KeepsTheTimeOfChangeWhileTheContentStaysTheSame) {
  Ask();
  source_.Answer(Running(1));
  const absl::Time first = loop_.Now();
  loop_.RunFor(absl::Minutes(1));
  Answer* const answer = Ask();
  source_.Answer(Running(1));
  EXPECT_EQ((**answer)->get()->change_time, first);
  EXPECT_EQ((**answer)->get()->observe_time, loop_.Now());
}

TEST_F(TaskTrackerGet, RetriesTransientErrorsWithPausesAndThenTellsThem) {
  Answer* const answer = Ask();
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(source_.fetches(), attempt);
    EXPECT_FALSE(answer->has_value());
    source_.Answer(Error(ErrorReason::kUpstreamSystemError, Persistence::kTransient));
    EXPECT_EQ(source_.in_flight(), 0u) << "no pause before the next attempt";
    loop_.RunFor(absl::Seconds(5));
  }
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, HasReason(ErrorReason::kUpstreamSystemError));
  EXPECT_EQ(source_.fetches(), 3);
  EXPECT_EQ(tracker_->stats().entries, 0u);
}

TEST_F(TaskTrackerGet, SucceedsWhenARetryDoes) {
  Answer* const answer = Ask();
  source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient, absl::Seconds(1)));
  loop_.RunFor(absl::Seconds(3));
  source_.Answer(Running(1));
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, IsOk());
}

TEST_F(TaskTrackerGet, HonoursTheUpstreamsWishToWait) {
  Ask();
  source_.Answer(Error(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Seconds(4)));
  loop_.RunFor(absl::Milliseconds(3999));
  EXPECT_EQ(source_.fetches(), 1);
  loop_.RunFor(absl::Milliseconds(2));
  EXPECT_EQ(source_.fetches(), 2);
}

TEST_F(TaskTrackerGet, TellsAnErrorAtOnceThatNoCallerShouldWaitFor) {
  const std::vector<absl::Status> errors = {
      Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent),
      Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)),
      Error(ErrorReason::kUpstreamRateLimited, Persistence::kTransient, absl::Minutes(1)),
      Error(ErrorReason::kUpstreamMalformedResponse, Persistence::kTransient),
      Error(ErrorReason::kUpstreamUntrusted, Persistence::kTransient, absl::Seconds(1)),
  };
  for (const absl::Status& error : errors) {
    Answer* const answer = Ask();
    source_.Answer(error);
    ASSERT_TRUE(answer->has_value()) << error;
    EXPECT_EQ((*answer)->status(), error);
    EXPECT_EQ(source_.in_flight(), 0u) << error;
  }
}

TEST_F(TaskTrackerGet, TriesOnceMoreAfterADoubtfulError) {
  const absl::Status error = Error(ErrorReason::kUpstreamUnknownError, Persistence::kDoubtful);
  Answer* const unlucky = Ask();
  source_.Answer(error);
  EXPECT_FALSE(unlucky->has_value());
  loop_.RunFor(absl::Seconds(5));
  source_.Answer(error);
  ASSERT_TRUE(unlucky->has_value());
  EXPECT_EQ((*unlucky)->status(), error);
  EXPECT_EQ(source_.fetches(), 2);

  Answer* const lucky = Ask();
  source_.Answer(error);
  loop_.RunFor(absl::Seconds(5));
  source_.Answer(Running(1));
  ASSERT_TRUE(lucky->has_value());
  EXPECT_THAT(**lucky, IsOk());
}

TEST_F(TaskTrackerGet, DoesNotRetryWhenTheDeadlineWouldPassFirst) {
  Answer* const answer = Ask(absl::Seconds(1), absl::Seconds(6));
  loop_.RunFor(absl::Seconds(4));
  source_.Answer(Error(ErrorReason::kUpstreamTimeout, Persistence::kTransient));
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, HasReason(ErrorReason::kUpstreamTimeout));
}

TEST_F(TaskTrackerGet, EndsAtTheCallersDeadlineWhileTheFetchGoesOnForTheOthers) {
  Answer* const hurried = Ask(absl::Seconds(1), absl::Seconds(1));
  Answer* const patient = Ask(absl::Seconds(1), absl::Seconds(10));
  loop_.RunFor(absl::Seconds(1));
  ASSERT_TRUE(hurried->has_value());
  EXPECT_THAT(**hurried, StatusIs(absl::StatusCode::kDeadlineExceeded));
  source_.Answer(Running(1));
  ASSERT_TRUE(patient->has_value());
  EXPECT_THAT(**patient, IsOk());
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(TaskTrackerGet, ForgetsACancelledCallerAndKeepsWhatItsFetchBrings) {
  Answer* const answer = Ask();
  tracker_->CancelGet("abcd", last_get_);
  source_.Answer(Succeeded());
  EXPECT_FALSE(answer->has_value());
  EXPECT_TRUE(AskAndSettle()->has_value());
  EXPECT_EQ(source_.fetches(), 1);
}

TEST_F(TaskTrackerGet, CancellingAfterTheAnswerDoesNothing) {
  Ask();
  source_.Answer(Running(1));
  EXPECT_FALSE(tracker_->CancelGet("abcd", last_get_));
  AskAndSettle();
  EXPECT_FALSE(tracker_->CancelGet("abcd", last_get_));
  EXPECT_EQ(tracker_->stats().entries, 0u);
}

TEST_F(TaskTrackerGet, CancellingTellsWhetherTheAnswerWasStillToCome) {
  Ask();
  EXPECT_TRUE(tracker_->CancelGet("abcd", last_get_));
  EXPECT_FALSE(tracker_->CancelGet("abcd", last_get_));
  EXPECT_FALSE(tracker_->CancelGet("efgh", last_get_));
}

TEST_F(TaskTrackerGet, CanBeCancelledWhileAKnownAnswerIsOnItsWay) {
  Ask();
  source_.Answer(Succeeded());
  Answer* const cancelled = Ask();
  const TaskTracker::GetId cancelled_id = last_get_;
  Answer* const other = Ask();
  EXPECT_EQ(tracker_->stats().waiting_gets, 2u);
  EXPECT_TRUE(tracker_->CancelGet("abcd", cancelled_id));
  loop_.RunPosted();
  EXPECT_FALSE(cancelled->has_value());
  EXPECT_TRUE(other->has_value());
  EXPECT_EQ(tracker_->stats().waiting_gets, 0u);
}

TEST_F(TaskTrackerGet, IsNotAnsweredByATrackerThatHasGone) {
  Ask();
  source_.Answer(Succeeded());
  Answer* const answer = Ask();
  tracker_.reset();
  loop_.RunPosted();
  EXPECT_FALSE(answer->has_value());
}

TEST_F(TaskTrackerGet, DoesNotRetryForACallerWhoHasLeft) {
  Ask();
  source_.Answer(Error(ErrorReason::kUpstreamSystemError, Persistence::kTransient));
  tracker_->CancelGet("abcd", last_get_);
  loop_.RunFor(absl::Minutes(1));
  EXPECT_EQ(source_.fetches(), 1);
  EXPECT_EQ(tracker_->stats().entries, 0u);
}

TEST_F(TaskTrackerGet, RemembersBrieflyThatATaskWasRefused) {
  Ask();
  source_.Answer(Error(ErrorReason::kTaskNotFound, Persistence::kPermanent));
  loop_.RunFor(absl::Seconds(9));
  Answer* const answer = AskAndSettle();
  ASSERT_TRUE(answer->has_value());
  EXPECT_THAT(**answer, HasReason(ErrorReason::kTaskNotFound));
  EXPECT_EQ(source_.fetches(), 1);
  Ask(absl::ZeroDuration());
  EXPECT_EQ(source_.fetches(), 2) << "zero staleness asks again all the same";
  source_.Answer(Error(ErrorReason::kTaskNotFound, Persistence::kPermanent));
  loop_.RunFor(absl::Seconds(11));
  Ask();
  EXPECT_EQ(source_.fetches(), 3) << "remembered for longer than briefly";
}

TEST_F(TaskTrackerGet, RemembersARefusalNoLongerWhenTheClockIsSetBack) {
  Ask();
  source_.Answer(Error(ErrorReason::kTaskNotFound, Persistence::kPermanent));
  loop_.SetClock(-absl::Hours(1));
  loop_.RunFor(absl::Seconds(11));
  Ask();
  EXPECT_EQ(source_.fetches(), 2);
}

TEST_F(TaskTrackerGet, LetsNothingOverruleAFinalState) {
  Answer* const answer = Ask();
  auto final = std::make_shared<TaskSnapshot>();
  final->info = Succeeded();
  final->info.task_id = "abcd";
  final->etag = EtagOf(final->info);
  cache_.Put(final);
  source_.Answer(Running(9));
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ((**answer)->get()->info.state, TaskState::kSucceeded);
  EXPECT_EQ(tracker_->stats().final_states_contradicted, 1u);
}

}  // namespace
}  // namespace taskwatch
