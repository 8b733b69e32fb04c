#include "client/internal/watch_progress.h"

#include <gtest/gtest.h>

#include "tests/client/tasks.h"

namespace taskwatch::client {
namespace {

// A watcher that was told `task` by one server and now has a stream to another.
WatchProgress ResumedAfter(const v1::TaskInfo& task) {
  WatchProgress progress("");
  progress.OnStream();
  progress.OnTask(task);
  progress.OnStream();
  return progress;
}

TEST(WatchProgress, TellsEachStateOfAStream) {
  WatchProgress progress("");
  progress.OnStream();
  EXPECT_TRUE(progress.OnTask(Running(0, 1)).has_value());
  EXPECT_TRUE(progress.OnTask(Running(3, 2)).has_value());
  EXPECT_TRUE(progress.OnTask(Succeeded(3)).has_value());
  EXPECT_TRUE(progress.done());
}

TEST(WatchProgress, ResumesWithTheEtagToldLast) {
  WatchProgress progress("known");
  EXPECT_EQ(progress.last_etag(), "known");
  progress.OnStream();
  progress.OnTask(Running(3, 1));
  EXPECT_EQ(progress.last_etag(), Running(3, 1).etag());
}

TEST(WatchProgress, TellsNoStateTwiceInARow) {
  WatchProgress progress = ResumedAfter(Running(3, 1));
  EXPECT_FALSE(progress.OnTask(Running(3, 9)).has_value());
}

TEST(WatchProgress, TellsNothingAfterTheEnd) {
  WatchProgress progress = ResumedAfter(Succeeded(1));
  EXPECT_FALSE(progress.OnTask(Succeeded(2)).has_value());
  EXPECT_FALSE(progress.OnTask(Running(3, 9)).has_value());
}

TEST(WatchProgress, HoldsBackAStateThatAnotherServerPolledEarlier) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  EXPECT_FALSE(progress.OnTask(Running(2, 8)).has_value());
  EXPECT_EQ(progress.last_etag(), Running(3, 10).etag());
}

TEST(WatchProgress, HoldsBackAnEarlierStateOfAServerWhoseClockIsAhead) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  EXPECT_FALSE(progress.OnTask(Running(2, 99)).has_value());
  EXPECT_FALSE(progress.OnTask(Running(3, 100)).has_value());
}

TEST(WatchProgress, HoldsBackAnEarlierStateWithoutCountsByItsTime) {
  v1::TaskInfo unknown = Running(0, 10);
  unknown.set_state(v1::TASK_STATE_UNRECOGNIZED);
  unknown.set_etag("unrecognized");
  WatchProgress progress = ResumedAfter(unknown);
  EXPECT_FALSE(progress.OnTask(Running(0, 9)).has_value());
}

TEST(WatchProgress, ComparesWithWhenTheStateWasLastConfirmed) {
  v1::TaskInfo unknown = Running(0, 10);
  unknown.set_etag("unrecognized");
  WatchProgress progress("");
  progress.OnStream();
  progress.OnTask(unknown);
  progress.OnHeartbeat(HeartbeatOf("unrecognized", 20));
  progress.OnStream();
  EXPECT_FALSE(progress.OnTask(Running(0, 15)).has_value());
}

TEST(WatchProgress, TellsFurtherProgressAlsoFromAServerWhoseClockIsBehind) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  EXPECT_TRUE(progress.OnTask(Running(4, 8)).has_value());
}

TEST(WatchProgress, TellsTheEndAlsoFromAServerWhoseClockIsBehind) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  EXPECT_TRUE(progress.OnTask(Succeeded(1)).has_value());
}

TEST(WatchProgress, TellsWhatFollowsAStateThatWasHeldBack) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  progress.OnTask(Running(2, 8));
  EXPECT_TRUE(progress.OnTask(Running(4, 11)).has_value());
}

TEST(WatchProgress, TellsAStateThatWasHeldBackOnceALaterPollConfirmsIt) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  progress.OnTask(Running(2, 8));
  EXPECT_FALSE(progress.OnHeartbeat(HeartbeatOf(Running(2, 8).etag(), 8)).has_value());
  const auto told = progress.OnHeartbeat(HeartbeatOf(Running(2, 8).etag(), 12));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(told->succeeded_count(), 2);
}

TEST(WatchProgress, TellsAStepBackThatOneServerSawHappen) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  progress.OnHeartbeat(HeartbeatOf(Running(3, 10).etag(), 11));
  EXPECT_TRUE(progress.OnTask(Running(1, 12)).has_value());
}

TEST(WatchProgress, TellsWhatAServerPolledThatKnewNothingBefore) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  progress.OnHeartbeat(v1::Heartbeat());
  EXPECT_TRUE(progress.OnTask(Running(1, 12)).has_value());
}

TEST(WatchProgress, ForgetsAStateThatWasHeldBackWithItsStream) {
  WatchProgress progress = ResumedAfter(Running(3, 10));
  progress.OnTask(Running(2, 8));
  progress.OnStream();
  EXPECT_FALSE(progress.OnTask(Running(2, 8)).has_value());
}

TEST(WatchProgress, TellsTheEndToAWatcherWhoBeganWithItsEtag) {
  WatchProgress progress(Succeeded(1).etag());
  progress.OnStream();
  EXPECT_TRUE(progress.OnTask(Succeeded(1)).has_value());
}

}  // namespace
}  // namespace taskwatch::client
