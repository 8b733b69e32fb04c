#include "service/runtime/simulated_loop.h"

#include <gtest/gtest.h>

#include <string>

namespace taskwatch {
namespace {

TEST(SimulatedLoop, LetsTimePassOnlyFromTimerToTimer) {
  SimulatedLoop loop;
  const absl::Time start = loop.Now();
  absl::Time fired;
  loop.RunAfter(absl::Hours(3), [&] { fired = loop.Now(); });
  EXPECT_EQ(loop.Now(), start);
  loop.RunFor(absl::Hours(5));
  EXPECT_EQ(fired, start + absl::Hours(3));
  EXPECT_EQ(loop.Now(), start + absl::Hours(5));
}

TEST(SimulatedLoop, RunsTimersSetByTimersWithinTheSameStretch) {
  SimulatedLoop loop;
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    loop.RunAfter(absl::Seconds(1), tick);
  };
  loop.RunAfter(absl::Seconds(1), tick);
  loop.RunFor(absl::Seconds(10));
  EXPECT_EQ(ticks, 10);
}

TEST(SimulatedLoop, RunsPostedWorkBeforeTimePasses) {
  SimulatedLoop loop;
  std::string order;
  loop.RunAfter(absl::ZeroDuration(), [&] { order += "timer "; });
  loop.Post([&] {
    order += "post ";
    loop.Post([&] { order += "posted-by-post "; });
  });
  loop.RunFor(absl::ZeroDuration());
  EXPECT_EQ(order, "post posted-by-post timer ");
}

TEST(SimulatedLoop, RunsTimersInTimeWhenTheClockIsSet) {
  SimulatedLoop loop;
  const absl::Time start = loop.Now();
  absl::Duration fired;
  loop.RunAfter(absl::Minutes(1), [&] { fired = loop.Elapsed(); });
  loop.SetClock(absl::Hours(5));
  EXPECT_EQ(loop.Now(), start + absl::Hours(5));
  loop.RunFor(absl::Seconds(59));
  EXPECT_EQ(fired, absl::ZeroDuration());
  loop.SetClock(-absl::Hours(5));
  loop.RunFor(absl::Seconds(1));
  EXPECT_EQ(fired, absl::Minutes(1));
  EXPECT_EQ(loop.Now(), start + absl::Minutes(1) - absl::Hours(5));
  EXPECT_EQ(loop.SteadyNow(), start + absl::Minutes(1));
}

TEST(SimulatedLoop, ForgetsCancelledTimers) {
  SimulatedLoop loop;
  bool ran = false;
  const EventLoop::TimerId id = loop.RunAfter(absl::Seconds(1), [&] { ran = true; });
  EXPECT_TRUE(loop.CancelTimer(id));
  loop.RunFor(absl::Seconds(2));
  EXPECT_FALSE(ran);
  EXPECT_FALSE(loop.CancelTimer(EventLoop::TimerId{}));
}

}  // namespace
}  // namespace taskwatch
