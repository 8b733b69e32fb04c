#include "service/quota/calls_in_flight.h"

#include <cstdint>
#include <optional>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

#include "service/task/priority.h"

namespace taskwatch {
namespace {

constexpr absl::CivilMonth kMonth(2027, 6);

class CallsInFlightTest : public testing::Test {
 protected:
  // Makes calls at `rate` a second for `length`, each answered after `latency`; how many were made.
  int CallFor(absl::Duration length, int rate, absl::Duration latency) {
    const absl::Time end = now_ + length;
    uint64_t oldest = last_id_ + 1;
    int made = 0;
    while (now_ < end) {
      while (oldest <= last_id_ && starts_[oldest % kMany] + latency <= now_) {
        calls_.NoteAnswer(now_);
        EXPECT_TRUE(calls_.Remove(oldest++).has_value());
      }
      if (calls_.HaveRoomAt(now_)) {
        Call();
        ++made;
      }
      now_ += absl::Seconds(1) / rate;
    }
    return made;
  }
  void Call() {
    ++last_id_;
    starts_[last_id_ % kMany] = now_;
    calls_.Add(last_id_, {Priority::kCaller, last_id_, kMonth, now_});
  }

  static constexpr uint64_t kMany = 10'000;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  CallsInFlight calls_;
  absl::Time starts_[kMany];
  uint64_t last_id_ = 0;
};

TEST_F(CallsInFlightTest, RemembersWhatACallWasCountedAs) {
  calls_.Add(7, {Priority::kPoll, 99, kMonth, now_});
  EXPECT_EQ(calls_.size(), 1u);
  const std::optional<CallsInFlight::Call> call = calls_.Remove(7);
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->priority, Priority::kPoll);
  EXPECT_EQ(call->task, 99u);
  EXPECT_EQ(call->month, kMonth);
  EXPECT_FALSE(calls_.Remove(7).has_value()) << "reported twice";
  EXPECT_EQ(calls_.size(), 0u);
}

TEST_F(CallsInFlightTest, HoldsBackFromADingTalkThatHangs) {
  const int made = CallFor(absl::Seconds(5), 18, absl::InfiniteDuration());
  RecordProperty("calls", made);
  EXPECT_LE(made, 37) << "those of two seconds";
}

TEST_F(CallsInFlightTest, HoldsNothingBackFromADingTalkThatIsOnlySlow) {
  const int made = CallFor(absl::Minutes(1), 18, absl::Seconds(3));
  RecordProperty("calls", made);
  // All but those of the second before the first answer.
  EXPECT_GE(made, 18 * 60 - 20);
}

TEST_F(CallsInFlightTest, LetsGoAgainWithTheFirstAnswer) {
  CallFor(absl::Seconds(5), 18, absl::InfiniteDuration());
  EXPECT_FALSE(calls_.HaveRoomAt(now_));
  calls_.NoteAnswer(now_);
  EXPECT_TRUE(calls_.HaveRoomAt(now_));
}

TEST_F(CallsInFlightTest, DoesNotTakeAnIdleTimeForSilence) {
  CallFor(absl::Seconds(1), 18, absl::Milliseconds(100));
  now_ += absl::Hours(1);
  calls_.NoteAnswer(now_);
  while (calls_.size() > 0) calls_.Remove(last_id_--);
  now_ += absl::Hours(1);
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(calls_.HaveRoomAt(now_));
    Call();
  }
}

TEST_F(CallsInFlightTest, ForgetsCallsThatAreNeverReported) {
  for (int i = 0; i < 30; ++i) Call();
  now_ += absl::Seconds(10);
  EXPECT_FALSE(calls_.HaveRoomAt(now_));
  now_ += absl::Minutes(5);
  EXPECT_TRUE(calls_.HaveRoomAt(now_));
  Call();
  EXPECT_EQ(calls_.size(), 1u);
}

TEST_F(CallsInFlightTest, WaitsNoLongerWhenTheClockIsSetBack) {
  for (int i = 0; i < 30; ++i) Call();
  now_ += absl::Seconds(3);
  now_ -= absl::Hours(1);
  calls_.ShiftBack(absl::Hours(1));
  EXPECT_FALSE(calls_.HaveRoomAt(now_));
  now_ += absl::Minutes(5);
  EXPECT_TRUE(calls_.HaveRoomAt(now_));
}

}  // namespace
}  // namespace taskwatch
