#include "client/internal/wait_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "taskwatch/client/rpc_status.h"

#include "tests/client/errors.h"
#include "tests/client/reason_matcher.h"
#include "tests/client/tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

constexpr absl::Time kNow = absl::UnixEpoch();

WaitRun NewRun(absl::Duration timeout) { return WaitRun("t1", kNow + timeout, ResumePolicy({}, 1, kNow)); }

v1::WaitTaskResponse Answer(const v1::TaskInfo& task) {
  v1::WaitTaskResponse answer;
  *answer.mutable_task() = task;
  return answer;
}

TEST(WaitRun, IsOverWhenTheTaskIsDone) {
  WaitRun run = NewRun(absl::InfiniteDuration());
  EXPECT_EQ(run.NextRequest(kNow).timeout().seconds(), 60);
  EXPECT_FALSE(run.OnAnswer(absl::OkStatus(), Answer(Succeeded(1)), kNow).has_value());
  EXPECT_TRUE(run.result()->done());
}

TEST(WaitRun, AsksAgainAtOnceAfterTheLongestCall) {
  WaitRun run = NewRun(absl::InfiniteDuration());
  run.NextRequest(kNow);
  const auto pause = run.OnAnswer(absl::OkStatus(), Answer(Running(1, 1)), kNow + absl::Seconds(60));
  EXPECT_EQ(pause, absl::ZeroDuration());
}

TEST(WaitRun, DoesNotAskInATightLoop) {
  WaitRun run = NewRun(absl::InfiniteDuration());
  run.NextRequest(kNow);
  EXPECT_EQ(run.OnAnswer(absl::OkStatus(), Answer(Running(1, 1)), kNow), absl::Seconds(1));
}

TEST(WaitRun, AsksForNoMoreThanWhatIsLeft) {
  WaitRun run = NewRun(absl::Seconds(70));
  EXPECT_EQ(run.NextRequest(kNow + absl::Seconds(60)).timeout().seconds(), 10);
}

TEST(WaitRun, ResultsInTheLatestStateWhenTheTimeIsUp) {
  WaitRun run = NewRun(absl::Seconds(5));
  run.NextRequest(kNow);
  EXPECT_FALSE(run.OnAnswer(absl::OkStatus(), Answer(Running(1, 1)), kNow + absl::Seconds(5)).has_value());
  EXPECT_EQ(run.result()->succeeded_count(), 1);
  EXPECT_FALSE(run.result()->done());
}

TEST(WaitRun, GoesOnAfterARestart) {
  WaitRun run = NewRun(absl::InfiniteDuration());
  run.NextRequest(kNow);
  EXPECT_TRUE(run.OnAnswer(absl::UnavailableError("socket closed"), {}, kNow).has_value());
}

TEST(WaitRun, GoesOnAfterACallThatWasNeverAnswered) {
  WaitRun run = NewRun(absl::InfiniteDuration());
  for (int i = 0; i < 100; ++i) {
    run.NextRequest(kNow);
    ASSERT_TRUE(run.OnAnswer(absl::DeadlineExceededError(""), {}, kNow + run.call_timeout()).has_value());
  }
}

TEST(WaitRun, TellsEachStateOnceAndEachInterruption) {
  std::vector<std::string> told;
  WatchObserver observer;
  observer.on_task = [&told](const v1::TaskInfo& task) { told.push_back(task.etag()); };
  observer.on_interruption = [&told](const absl::Status& why, absl::Duration) {
    told.push_back(std::string(why.message()));
  };
  WaitRun run("t1", absl::InfiniteFuture(), ResumePolicy({}, 1, kNow), observer);
  run.NextRequest(kNow);
  run.OnAnswer(absl::OkStatus(), Answer(Running(1, 1)), kNow);
  run.OnAnswer(absl::OkStatus(), Answer(Running(1, 2)), kNow);
  run.OnAnswer(absl::UnavailableError("socket closed"), {}, kNow);
  run.OnAnswer(absl::OkStatus(), Answer(Running(2, 3)), kNow);
  run.OnAnswer(absl::OkStatus(), Answer(Succeeded(4)), kNow);
  EXPECT_THAT(told, testing::ElementsAre(Running(1, 1).etag(), "socket closed", Running(2, 3).etag()));
}

TEST(WaitRun, EndsWithAPermanentError) {
  WaitRun run = NewRun(absl::InfiniteDuration());
  run.NextRequest(kNow);
  const absl::Status failure = FromGrpcStatus(ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND"));
  EXPECT_FALSE(run.OnAnswer(failure, {}, kNow).has_value());
  EXPECT_THAT(run.result(), HasErrorReason("TASK_NOT_FOUND"));
}

TEST(WaitRun, EndsWithTheTroubleWhenTheTimeIsUp) {
  WaitRun run = NewRun(absl::Seconds(5));
  run.NextRequest(kNow);
  EXPECT_FALSE(run.OnAnswer(absl::UnavailableError("refused"), {}, kNow + absl::Seconds(5)).has_value());
  EXPECT_THAT(run.result(), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace taskwatch::client
