#include "service/quota/rate_limiter.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace taskwatch {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

class RateLimiterTest : public testing::Test {
 protected:
  // Calls as soon as each may be made, until `end`; the times.
  std::vector<absl::Time> CallsUntil(RateLimiter& limiter, absl::Time end) {
    std::vector<absl::Time> calls;
    while ((now_ = limiter.NextPermit(now_)) < end) {
      limiter.Consume(now_);
      calls.push_back(now_);
    }
    now_ = end;
    return calls;
  }

  // The most calls in any second, wherever it begins.
  static size_t MostInASecond(const std::vector<absl::Time>& calls) {
    size_t most = 0;
    std::deque<absl::Time> window;
    for (const absl::Time call : calls) {
      while (!window.empty() && window.front() <= call - absl::Seconds(1)) window.pop_front();
      window.push_back(call);
      most = std::max(most, window.size());
    }
    return most;
  }

  absl::Time now_ = kStart;
};

TEST_F(RateLimiterTest, StaysUnderTheRateInEverySecondWhereverItBegins) {
  RateLimiter limiter(18);
  const std::vector<absl::Time> calls = CallsUntil(limiter, kStart + absl::Seconds(60));
  EXPECT_LE(MostInASecond(calls), 19u);
  EXPECT_GE(calls.size(), 60u * 18);
}

TEST_F(RateLimiterTest, StaysUnderTheRateAfterItWasIdle) {
  RateLimiter limiter(18);
  std::vector<absl::Time> calls = CallsUntil(limiter, kStart + absl::Seconds(2));
  now_ += absl::Hours(1);
  for (const absl::Time call : CallsUntil(limiter, now_ + absl::Seconds(2))) calls.push_back(call);
  EXPECT_LE(MostInASecond(calls), 19u);
}

TEST_F(RateLimiterTest, LetsASlowRateThroughOneByOne) {
  RateLimiter limiter(0.5);
  EXPECT_EQ(CallsUntil(limiter, kStart + absl::Seconds(20)).size(), 10u);
}

TEST_F(RateLimiterTest, HoldsNothingUpWithoutARate) {
  RateLimiter limiter(0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(limiter.NextPermit(now_), now_);
    limiter.Consume(now_);
  }
}

TEST_F(RateLimiterTest, TellsWhenACallsPermitWillCome) {
  RateLimiter limiter(10);
  limiter.Consume(now_);
  EXPECT_NEAR(absl::ToDoubleSeconds(limiter.NextPermit(now_) - now_), 0.1, 0.01);
  EXPECT_NEAR(absl::ToDoubleSeconds(limiter.DelayBehind(50, now_)), 5, 0.01);
}

TEST_F(RateLimiterTest, IsAsFastAsEverAMinuteAfterARefusal) {
  RateLimiter limiter(18);
  CallsUntil(limiter, kStart + absl::Seconds(5));
  limiter.BackOff(now_);
  now_ += absl::Minutes(1);
  EXPECT_GE(CallsUntil(limiter, now_ + absl::Seconds(10)).size(), 180u);
}

TEST_F(RateLimiterTest, SlowsDownOnceForCallsThatAreRefusedTogether) {
  RateLimiter limiter(18);
  CallsUntil(limiter, kStart + absl::Seconds(5));
  for (int i = 0; i < 10; ++i) limiter.BackOff(now_);
  EXPECT_GT(limiter.RateAt(now_), 10);
}

TEST_F(RateLimiterTest, FindsARateWhenDingTalkRefusesAndNoneWasGiven) {
  RateLimiter limiter(0);
  for (int i = 0; i < 100; ++i) limiter.Consume(now_);
  limiter.BackOff(now_);
  EXPECT_NEAR(limiter.RateAt(now_), 70, 0.1);
  now_ += absl::Minutes(1);
  EXPECT_EQ(limiter.RateAt(now_), 0) << "no limit again";
}

TEST_F(RateLimiterTest, CutsToWhatWasReallyMadeWhenOthersUseTheSameApp) {
  RateLimiter limiter(18);
  for (int i = 0; i < 10; ++i) {
    limiter.Consume(now_);
    now_ += absl::Milliseconds(100);
  }
  limiter.BackOff(now_);
  EXPECT_LT(limiter.RateAt(now_), 8);
}

TEST_F(RateLimiterTest, AnswersTheSameHoweverOftenItIsAsked) {
  RateLimiter limiter(10);
  limiter.Consume(now_);
  const absl::Time permit = limiter.NextPermit(now_);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(limiter.NextPermit(now_), permit);
    EXPECT_LE(limiter.NextPermit(now_ + absl::Milliseconds(i)),
              std::max(permit, now_ + absl::Milliseconds(i)) + absl::Nanoseconds(10));
  }
}

TEST_F(RateLimiterTest, HoldsNothingUpForLongerWhenTheClockIsSetBack) {
  RateLimiter limiter(18);
  CallsUntil(limiter, kStart + absl::Seconds(5));
  limiter.BackOff(now_);
  now_ -= absl::Hours(24);
  limiter.ShiftBack(absl::Hours(24));
  EXPECT_LE(limiter.NextPermit(now_), now_ + absl::Seconds(1));
  EXPECT_LT(limiter.RateAt(now_), 18);
  EXPECT_EQ(limiter.RateAt(now_ + absl::Minutes(1)), 18);
}

}  // namespace
}  // namespace taskwatch
