#include "client/internal/watch_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "taskwatch/client/rpc_status.h"

#include "tests/client/errors.h"
#include "tests/client/reason_matcher.h"
#include "tests/client/tasks.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

using testing::ElementsAre;

constexpr absl::Time kNow = absl::UnixEpoch();

class WatchRunTest : public testing::Test {
 protected:
  WatchRun NewRun() {
    WatchObserver observer;
    observer.on_task = [this](const v1::TaskInfo& task) { told_.push_back(task.etag()); };
    observer.on_heartbeat = [this](const v1::Heartbeat& heartbeat) {
      told_.push_back(absl::StrCat("heartbeat ", heartbeat.etag()));
    };
    observer.on_interruption = [this](const absl::Status& why, absl::Duration /*delay*/) {
      told_.push_back(absl::StrCat("interrupted ", ErrorReasonOf(why)));
    };
    WatchRun::Options options;
    options.task_id = "t1";
    return WatchRun(options, ResumePolicy({}, 1, kNow), observer);
  }

  std::vector<std::string> told_;
};

TEST_F(WatchRunTest, GoesOnAfterARotationWhereItWas) {
  WatchRun run = NewRun();
  EXPECT_EQ(run.OpenStream().last_etag(), "");
  run.OnMessage(Message(Running(3, 1)));
  const absl::Status rotated = FromGrpcStatus(ServiceError(grpc::StatusCode::UNAVAILABLE, "STREAM_ROTATED"));
  EXPECT_TRUE(run.OnStreamEnd(rotated, kNow).has_value());
  EXPECT_EQ(run.OpenStream().last_etag(), Running(3, 1).etag());
  run.OnMessage(Message(HeartbeatOf(Running(3, 1).etag(), 2)));
  run.OnMessage(Message(Succeeded(3)));
  EXPECT_FALSE(run.OnStreamEnd(absl::OkStatus(), kNow).has_value());
  EXPECT_THAT(told_, ElementsAre("TASK_STATE_RUNNING-3", "interrupted STREAM_ROTATED", "heartbeat TASK_STATE_RUNNING-3",
                                 "TASK_STATE_SUCCEEDED-10"));
  EXPECT_EQ(run.result()->etag(), Succeeded(3).etag());
}

TEST_F(WatchRunTest, IsOverWithTheFinalStateHoweverItsStreamEnds) {
  WatchRun run = NewRun();
  run.OpenStream();
  run.OnMessage(Message(Succeeded(1)));
  EXPECT_FALSE(run.OnStreamEnd(absl::UnavailableError("socket closed"), kNow).has_value());
  EXPECT_THAT(run.result(), IsOk());
}

TEST_F(WatchRunTest, TellsNothingAfterTheFinalState) {
  WatchRun run = NewRun();
  run.OpenStream();
  run.OnMessage(Message(Succeeded(1)));
  run.OnMessage(Message(HeartbeatOf(Succeeded(1).etag(), 2)));
  EXPECT_THAT(told_, ElementsAre("TASK_STATE_SUCCEEDED-10"));
}

TEST_F(WatchRunTest, DoesNotTakeAnEarlyOkForTheEnd) {
  WatchRun run = NewRun();
  run.OpenStream();
  run.OnMessage(Message(Running(3, 1)));
  EXPECT_TRUE(run.OnStreamEnd(absl::OkStatus(), kNow).has_value());
}

TEST_F(WatchRunTest, EndsWithAPermanentError) {
  WatchRun run = NewRun();
  run.OpenStream();
  const absl::Status failure = FromGrpcStatus(ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND"));
  EXPECT_FALSE(run.OnStreamEnd(failure, kNow).has_value());
  EXPECT_THAT(run.result(), HasErrorReason("TASK_NOT_FOUND"));
  EXPECT_THAT(told_, ElementsAre());
}

TEST_F(WatchRunTest, SaysAtTheDeadlineWhatTheTroubleWas) {
  WatchRun run = NewRun();
  run.OpenStream();
  run.OnStreamEnd(absl::UnavailableError("connection refused"), kNow);
  EXPECT_THAT(std::string(run.DeadlineExceeded().message()), testing::HasSubstr("connection refused"));
}

TEST_F(WatchRunTest, EndsWithItsStreamAtTheCallersDeadline) {
  WatchRun::Options options;
  options.deadline = kNow;
  WatchRun run(options, ResumePolicy({}, 1, kNow), {});
  run.OpenStream();
  EXPECT_FALSE(run.OnStreamEnd(absl::DeadlineExceededError("Deadline Exceeded"), kNow).has_value());
  EXPECT_THAT(run.result(), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(WatchRunTest, ResultsInAFinalStateThatWasToldBeforeTheDeadline) {
  WatchRun::Options options;
  options.deadline = kNow;
  WatchRun run(options, ResumePolicy({}, 1, kNow), {});
  run.OpenStream();
  run.OnMessage(Message(Succeeded(1)));
  EXPECT_FALSE(run.OnStreamEnd(absl::DeadlineExceededError("Deadline Exceeded"), kNow).has_value());
  EXPECT_THAT(run.result(), IsOk());
}

TEST_F(WatchRunTest, TakesAStreamForDeadAfterThreeHeartbeatsAsTheServiceClampsThem) {
  const auto limit_of = [](absl::Duration heartbeat) {
    WatchRun::Options options;
    options.heartbeat_interval = heartbeat;
    return WatchRun(options, ResumePolicy({}, 1, kNow), {}).silence_limit();
  };
  EXPECT_EQ(limit_of(absl::Seconds(20)), absl::Seconds(60));
  EXPECT_EQ(limit_of(absl::Seconds(1)), absl::Seconds(15));
  EXPECT_EQ(limit_of(absl::Hours(1)), absl::Minutes(3));
}

}  // namespace
}  // namespace taskwatch::client
