#include "service/rpc/conversion.h"

#include <gmock/gmock.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::HasSubstr;

struct StateRow {
  TaskState state;
  v1::TaskState proto;
  bool done;
};

class EveryState : public testing::TestWithParam<StateRow> {};

TEST_P(EveryState, IsToldAsTheContractSays) {
  TaskSnapshot snapshot;
  snapshot.info.state = GetParam().state;
  v1::TaskInfo task;
  FillTaskInfo(snapshot, task);
  EXPECT_EQ(task.state(), GetParam().proto);
  EXPECT_EQ(task.done(), GetParam().done);
}

INSTANTIATE_TEST_SUITE_P(Conversion, EveryState,
                         testing::Values(StateRow{TaskState::kWaiting, v1::TASK_STATE_WAITING, false},
                                         StateRow{TaskState::kRunning, v1::TASK_STATE_RUNNING, false},
                                         StateRow{TaskState::kSucceeded, v1::TASK_STATE_SUCCEEDED, true},
                                         StateRow{TaskState::kPartiallyFailed, v1::TASK_STATE_PARTIALLY_FAILED, true},
                                         StateRow{TaskState::kAllFailed, v1::TASK_STATE_ALL_FAILED, true},
                                         StateRow{TaskState::kFailed, v1::TASK_STATE_FAILED, true},
                                         StateRow{TaskState::kUnrecognized, v1::TASK_STATE_UNRECOGNIZED, false}));

TEST(Conversion, TellsAllThatIsKnownOfATask) {
  TaskSnapshot snapshot;
  snapshot.info.task_id = "abcd";
  snapshot.info.state = TaskState::kPartiallyFailed;
  snapshot.info.upstream_status = 2;
  snapshot.info.total_count = std::numeric_limits<int64_t>::max();
  snapshot.info.succeeded_count = 1;
  snapshot.info.failed_count = 0;
  snapshot.etag = "e1";
  snapshot.observe_time = absl::FromUnixMillis(1'700'000'000'250);
  snapshot.change_time = absl::FromUnixSeconds(1'600'000'000);
  snapshot.first_observe_time = absl::FromUnixSeconds(1'500'000'000);

  v1::TaskInfo task;
  FillTaskInfo(snapshot, task);

  EXPECT_EQ(task.task_id(), "abcd");
  EXPECT_EQ(task.state(), v1::TASK_STATE_PARTIALLY_FAILED);
  EXPECT_TRUE(task.done());
  EXPECT_TRUE(task.has_upstream_status());
  EXPECT_EQ(task.upstream_status(), 2);
  EXPECT_EQ(task.total_count(), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(task.succeeded_count(), 1);
  EXPECT_TRUE(task.has_failed_count()) << "a count of zero is known";
  EXPECT_EQ(task.failed_count(), 0);
  EXPECT_EQ(task.etag(), "e1");
  EXPECT_EQ(task.observe_time().seconds(), 1'700'000'000);
  EXPECT_EQ(task.observe_time().nanos(), 250'000'000);
  EXPECT_EQ(task.change_time().seconds(), 1'600'000'000);
  EXPECT_EQ(task.change_time().nanos(), 0);
}

TEST(Conversion, LeavesUnsetWhatDingTalkDidNotTell) {
  TaskSnapshot snapshot;
  snapshot.info.state = TaskState::kRunning;
  v1::TaskInfo task;
  FillTaskInfo(snapshot, task);
  EXPECT_FALSE(task.has_total_count());
  EXPECT_FALSE(task.has_succeeded_count());
  EXPECT_FALSE(task.has_failed_count());
  EXPECT_FALSE(task.has_upstream_status());
}

TEST(Conversion, CountsATimestampsNanosForwardAlsoBeforeTheEpoch) {
  google::protobuf::Timestamp timestamp;
  FillTimestamp(absl::UnixEpoch() - absl::Milliseconds(1), timestamp);
  EXPECT_EQ(timestamp.seconds(), -1);
  EXPECT_EQ(timestamp.nanos(), 999'000'000);
}

google::protobuf::Duration ProtoDuration(int64_t seconds, int32_t nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

struct DurationRow {
  int64_t seconds;
  int32_t nanos;
  absl::Duration duration;
};

class ValidDuration : public testing::TestWithParam<DurationRow> {};

TEST_P(ValidDuration, IsRead) {
  const absl::StatusOr<absl::Duration> duration =
      ReadDuration(ProtoDuration(GetParam().seconds, GetParam().nanos), "timeout");
  EXPECT_THAT(duration, IsOkAndHolds(GetParam().duration));
}

constexpr int64_t kMaxSeconds = 315'576'000'000;

INSTANTIATE_TEST_SUITE_P(Conversion, ValidDuration,
                         testing::Values(DurationRow{0, 0, absl::ZeroDuration()},
                                         DurationRow{0, 1, absl::Nanoseconds(1)},
                                         DurationRow{1, 500'000'000, absl::Milliseconds(1500)},
                                         DurationRow{60, 0, absl::Minutes(1)},
                                         DurationRow{0, 999'999'999, absl::Nanoseconds(999'999'999)},
                                         DurationRow{kMaxSeconds, 0, absl::Seconds(kMaxSeconds)}));

class InvalidDuration : public testing::TestWithParam<std::pair<int64_t, int32_t>> {};

TEST_P(InvalidDuration, IsRefusedAndItsFieldNamed) {
  const absl::StatusOr<absl::Duration> duration =
      ReadDuration(ProtoDuration(GetParam().first, GetParam().second), "poll_interval");
  EXPECT_THAT(duration, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("poll_interval")));
  EXPECT_THAT(duration, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(DetailsOf(duration.status()).field, "poll_interval");
}

INSTANTIATE_TEST_SUITE_P(Conversion, InvalidDuration,
                         testing::Values(std::make_pair(-1, 0), std::make_pair(0, -1), std::make_pair(-1, -1),
                                         std::make_pair(1, -1), std::make_pair(-1, 1), std::make_pair(0, 1'000'000'000),
                                         std::make_pair(0, std::numeric_limits<int32_t>::min()),
                                         std::make_pair(0, std::numeric_limits<int32_t>::max()),
                                         std::make_pair(kMaxSeconds + 1, 0),
                                         std::make_pair(std::numeric_limits<int64_t>::min(), 0),
                                         std::make_pair(std::numeric_limits<int64_t>::max(), 0)));

TEST(ValidateTaskId, TakesAnIdOfEveryLengthAndCharacterThatDingTalkUses) {
  EXPECT_THAT(ValidateTaskId("a"), IsOk());
  EXPECT_THAT(ValidateTaskId("AZaz09_-"), IsOk());
  EXPECT_THAT(ValidateTaskId(std::string(128, 'x')), IsOk());
}

class BadTaskId : public testing::TestWithParam<std::string> {};

TEST_P(BadTaskId, IsRefusedAndItsFieldNamed) {
  const absl::Status status = ValidateTaskId(GetParam());
  EXPECT_THAT(status, HasReason(ErrorReason::kInvalidTaskId));
  EXPECT_EQ(DetailsOf(status).field, "task_id");
}

INSTANTIATE_TEST_SUITE_P(Conversion, BadTaskId,
                         testing::Values("", ".", "..", "../../v1.0/x", "a/b", "a%2e", "a b", "a?b", "a#b", "abcd\n",
                                         "\r\nx: y", std::string("ab\0cd", 5), std::string(1, '\0'), "caf\xc3\xa9",
                                         std::string(129, 'x')));

TEST(ValidateLastEtag, TakesWhatCanBeAnEtag) {
  EXPECT_THAT(ValidateLastEtag(""), IsOk());
  EXPECT_THAT(ValidateLastEtag(std::string(64, 'e')), IsOk());
  const absl::Status refusal = ValidateLastEtag(std::string(65, 'e'));
  EXPECT_THAT(refusal, HasReason(ErrorReason::kInvalidRequest));
  EXPECT_EQ(DetailsOf(refusal).field, "last_etag");
}

}  // namespace
}  // namespace taskwatch
