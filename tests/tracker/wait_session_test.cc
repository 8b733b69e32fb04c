#include "service/tracker/wait_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "tests/fakes/fake_task_source.h"
#include "tests/fakes/sample_tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Optional;

// A snapshot of a task in this state.
MATCHER_P(IsInState, state, absl::StrCat(negation ? "is not " : "is ", TaskStateName(state))) {
  *result_listener << "which is " << TaskStateName(arg->info.state);
  return arg->info.state == state;
}

class WaitSessionTest : public testing::Test {
 protected:
  void Start(absl::Duration timeout = absl::Minutes(1), std::string last_etag = "") {
    NewSession(timeout, std::move(last_etag));
    session_->Start();
    EXPECT_FALSE(answer_.has_value()) << "answered before Start returned";
  }
  // As Start, and lets what follows at once happen.
  void StartAndSettle(absl::Duration timeout = absl::Minutes(1), std::string last_etag = "") {
    Start(timeout, std::move(last_etag));
    loop_.RunFor(absl::ZeroDuration());
  }
  void NewSession(absl::Duration timeout = absl::Minutes(1), std::string last_etag = "") {
    WaitSession::Options options;
    options.task_id = "abcd";
    options.timeout = timeout;
    options.last_etag = std::move(last_etag);
    session_ = std::make_unique<WaitSession>(&loop_, &tracker_, options, [this](auto answer) {
      EXPECT_FALSE(answer_.has_value()) << "answered twice";
      answer_ = std::move(answer);
    });
  }

  // Has the tracker learn `answer` now, and lets that have its effects.
  void Observe(absl::StatusOr<TaskInfo> answer) {
    if (source_.in_flight() == 0) {
      tracker_.Get("abcd", absl::ZeroDuration(), absl::InfiniteFuture(), [](const auto&) {});
    }
    source_.Answer(std::move(answer));
    loop_.RunFor(absl::ZeroDuration());
  }

  static std::string EtagOfRunning(int done_items) {
    TaskInfo info = Running(done_items);
    info.task_id = "abcd";
    return EtagOf(info);
  }

  // The items done by the answer, which must be there and not an error.
  int64_t AnsweredItems() const {
    if (!answer_.has_value() || !answer_->ok()) return -1;
    return (**answer_)->info.succeeded_count.value_or(-1);
  }
  absl::Status AnsweredError() const { return answer_.has_value() ? answer_->status() : absl::OkStatus(); }

  void ExpectNothingLeft() {
    EXPECT_EQ(tracker_.stats().watchers, 0u);
    EXPECT_EQ(tracker_.stats().entries, source_.in_flight());
    EXPECT_EQ(loop_.TimerCount(), 0u);
  }

  SimulatedLoop loop_;
  FakeTaskSource source_;
  SnapshotCache cache_{1000};
  TaskTracker tracker_{&loop_, &source_, &cache_, TaskTracker::Options{}};
  std::optional<absl::StatusOr<TaskSnapshotPtr>> answer_;
  std::unique_ptr<WaitSession> session_;
};

TEST_F(WaitSessionTest, AnswersAtOnceWhenTheTaskHasEnded) {
  Observe(Succeeded());
  StartAndSettle();
  EXPECT_THAT(answer_, Optional(IsOkAndHolds(IsInState(TaskState::kSucceeded))));
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersAtOnceWhenTheTaskHasEndedEvenIfTheLastEtagMatches) {
  Observe(Succeeded());
  StartAndSettle(absl::Minutes(1), cache_.Find("abcd")->etag);
  EXPECT_THAT(answer_, Optional(IsOkAndHolds(IsInState(TaskState::kSucceeded))));
}

TEST_F(WaitSessionTest, AnswersWhenTheTaskEnds) {
  Start();
  Observe(Running(3));
  EXPECT_FALSE(answer_.has_value());
  Observe(Succeeded());
  EXPECT_THAT(answer_, Optional(IsOkAndHolds(IsInState(TaskState::kSucceeded))));
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersAtOnceWhenTheStateIsNotTheOneKnown) {
  Observe(Running(2));
  Observe(Running(3));
  StartAndSettle(absl::Minutes(1), EtagOfRunning(2));
  EXPECT_EQ(AnsweredItems(), 3);
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersWithWhatAFetchBringsWhenTheCallerMayKnowANewerState) {
  Observe(Running(3));
  loop_.RunFor(absl::Seconds(1));
  StartAndSettle(absl::Minutes(1), EtagOfRunning(5));
  EXPECT_FALSE(answer_.has_value()) << "an older state after a newer one";
  Observe(Running(6));
  EXPECT_EQ(AnsweredItems(), 6);
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, WaitsOnWhenThatFetchBringsWhatTheCallerHas) {
  Observe(Running(3));
  loop_.RunFor(absl::Seconds(1));
  StartAndSettle(absl::Minutes(1), EtagOfRunning(5));
  Observe(Running(5));
  EXPECT_FALSE(answer_.has_value());
  Observe(Running(6));
  EXPECT_EQ(AnsweredItems(), 6);
}

TEST_F(WaitSessionTest, AnswersWhenTheStateIsNoLongerTheOneKnown) {
  Observe(Running(3));
  Start(absl::Minutes(1), EtagOfRunning(3));
  EXPECT_FALSE(answer_.has_value());
  Observe(Running(4));
  EXPECT_EQ(AnsweredItems(), 4);
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersWithTheLatestStateWhenTheTimeIsUp) {
  Start(absl::Seconds(30));
  Observe(Running(3));
  loop_.RunFor(absl::Milliseconds(500));
  Observe(Running(4));
  while (!answer_.has_value() && loop_.Elapsed() < absl::Hours(1)) {
    loop_.RunFor(absl::Milliseconds(100));
    if (source_.in_flight() > 0) source_.Answer(Running(4));
  }
  EXPECT_EQ(AnsweredItems(), 4);
  EXPECT_EQ(loop_.Elapsed(), absl::Seconds(30));
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersWithTheLatestStateWhenTheTimeIsUpWhilePollsFail) {
  Start(absl::Seconds(30));
  Observe(Running(3));
  Observe(Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5)));
  loop_.RunFor(absl::Seconds(30));
  EXPECT_EQ(AnsweredItems(), 3);
}

TEST_F(WaitSessionTest, TellsWhyNothingIsKnownWhenTheTimeIsUp) {
  Start(absl::Seconds(30));
  const absl::Status error = Error(ErrorReason::kUpstreamIpBanned, Persistence::kPaused, absl::Minutes(5));
  Observe(error);
  EXPECT_FALSE(answer_.has_value());
  loop_.RunFor(absl::Seconds(30));
  EXPECT_EQ(AnsweredError(), error);
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, MissesItsDeadlineOnlyWhenTheUpstreamHasNotAnsweredAtAll) {
  Start(absl::Seconds(30));
  loop_.RunFor(absl::Seconds(30));
  EXPECT_THAT(answer_, Optional(StatusIs(absl::StatusCode::kDeadlineExceeded)));
  EXPECT_EQ(tracker_.stats().watchers, 0u);
}

TEST_F(WaitSessionTest, AnswersAtOnceWhenThereIsNoTimeAtAll) {
  Observe(Running(3));
  StartAndSettle(absl::ZeroDuration());
  EXPECT_EQ(AnsweredItems(), 3);
}

TEST_F(WaitSessionTest, AnswersWithAPermanentError) {
  Start();
  const absl::Status error = Error(ErrorReason::kTaskNotFound, Persistence::kPermanent);
  Observe(error);
  EXPECT_EQ(AnsweredError(), error);
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersAtOnceWhenTheTaskIdWasRefusedAMomentAgo) {
  const absl::Status error = Error(ErrorReason::kTaskNotFound, Persistence::kPermanent);
  Observe(error);
  StartAndSettle();
  EXPECT_EQ(AnsweredError(), error);
}

TEST_F(WaitSessionTest, EndsWithTheStatusGivenWhenNothingHasCome) {
  Start();
  session_->End(absl::CancelledError("the caller has gone"));
  EXPECT_THAT(answer_, Optional(StatusIs(absl::StatusCode::kCancelled)));
  EXPECT_EQ(tracker_.stats().watchers, 0u);
  EXPECT_EQ(loop_.TimerCount(), 0u);
}

TEST_F(WaitSessionTest, AnswersWithWhatHasJustComeWhenItIsEnded) {
  Start();
  source_.Answer(Succeeded());
  EXPECT_FALSE(answer_.has_value()) << "the tracker is being called";
  session_->End(absl::CancelledError("the caller has gone"));
  EXPECT_THAT(answer_, Optional(IsOkAndHolds(IsInState(TaskState::kSucceeded))));
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersWithWhatWasKnownAtItsStartWhenItIsEndedAtOnce) {
  Observe(Succeeded());
  Start();
  session_->End(absl::CancelledError("the caller has gone"));
  EXPECT_THAT(answer_, Optional(IsOkAndHolds(IsInState(TaskState::kSucceeded))));
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersWithWhatWasKnownAtItsStartWhenAPollFailsAtTheSameMoment) {
  Observe(Running(2));
  Observe(Running(3));
  loop_.RunFor(absl::Minutes(5));
  Start(absl::Minutes(1), EtagOfRunning(2));
  source_.Answer(Error(ErrorReason::kUpstreamPermissionDenied, Persistence::kPermanent));
  EXPECT_EQ(AnsweredItems(), 3);
}

TEST_F(WaitSessionTest, MayBeDestroyedByItsAnswer) {
  Observe(Succeeded());
  WaitSession::Options options;
  options.task_id = "abcd";
  bool answered = false;
  session_ = std::make_unique<WaitSession>(&loop_, &tracker_, options, [this, &answered](const auto&) {
    answered = true;
    session_.reset();
  });
  session_->Start();
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_TRUE(answered);
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, AnswersOnceWhateverComesAfter) {
  Start();
  Observe(Succeeded());
  session_->End(absl::CancelledError("the caller has gone"));
  loop_.RunFor(absl::Hours(1));
  EXPECT_THAT(answer_, Optional(IsOkAndHolds(IsInState(TaskState::kSucceeded))));
}

TEST_F(WaitSessionTest, EndsBeforeItHasBegun) {
  NewSession();
  session_->End(absl::CancelledError("the caller has gone"));
  EXPECT_THAT(answer_, Optional(StatusIs(absl::StatusCode::kCancelled)));
}

TEST_F(WaitSessionTest, IsNotAnsweredWhenItIsDestroyedBeforeAnAnswerThatIsOnItsWay) {
  Observe(Succeeded());
  Start();
  session_.reset();
  loop_.RunFor(absl::ZeroDuration());
  EXPECT_FALSE(answer_.has_value());
  ExpectNothingLeft();
}

TEST_F(WaitSessionTest, LeavesNothingBehindWhenItIsDestroyedUnanswered) {
  Start();
  session_.reset();
  EXPECT_FALSE(answer_.has_value());
  source_.Answer(Running(3));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace taskwatch
