#include "service/tracker/snapshot_cache.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

TaskSnapshotPtr Snapshot(const std::string& task_id, TaskState state, absl::Time observe_time = absl::UnixEpoch()) {
  auto snapshot = std::make_shared<TaskSnapshot>();
  snapshot->info.task_id = task_id;
  snapshot->info.state = state;
  snapshot->observe_time = observe_time;
  return snapshot;
}

TEST(SnapshotCache, FindsTheLatestSnapshotOfATask) {
  SnapshotCache cache(100);
  EXPECT_EQ(cache.Find("abcd"), nullptr);
  cache.Put(Snapshot("abcd", TaskState::kWaiting));
  const TaskSnapshotPtr latest = Snapshot("abcd", TaskState::kRunning);
  cache.Put(latest);
  EXPECT_EQ(cache.Find("abcd"), latest);
  EXPECT_EQ(cache.size(), 1u);
}

TEST(SnapshotCache, TakesARunningTaskForFreshWithinTheToleratedAgeOnly) {
  SnapshotCache cache(100);
  const absl::Time seen = absl::FromUnixSeconds(1'000'000);
  cache.Put(Snapshot("abcd", TaskState::kRunning, seen));
  const absl::Duration second = absl::Seconds(1);
  EXPECT_NE(cache.FindFresh("abcd", second, seen + second), nullptr);
  EXPECT_EQ(cache.FindFresh("abcd", second, seen + second + absl::Nanoseconds(1)), nullptr);
  EXPECT_EQ(cache.FindFresh("abcd", absl::ZeroDuration(), seen), nullptr);
}

TEST(SnapshotCache, DoesNotTrustAnAgeBelowZero) {
  SnapshotCache cache(100);
  const absl::Time seen = absl::FromUnixSeconds(1'000'000);
  cache.Put(Snapshot("abcd", TaskState::kRunning, seen));
  EXPECT_EQ(cache.FindFresh("abcd", absl::Seconds(1), seen - absl::Hours(1)), nullptr);
}

TEST(SnapshotCache, TakesAnEndedTaskForFreshAtAnyAge) {
  SnapshotCache cache(100);
  cache.Put(Snapshot("abcd", TaskState::kFailed));
  EXPECT_NE(cache.FindFresh("abcd", absl::ZeroDuration(), absl::Now()), nullptr);
}

TEST(SnapshotCache, StaysWithinItsCapacityAndKeepsWhatIsAskedFor) {
  SnapshotCache cache(1600);
  cache.Put(Snapshot("kept", TaskState::kSucceeded));
  for (int i = 0; i < 100'000; ++i) {
    cache.Put(Snapshot(absl::StrCat("task", i), TaskState::kSucceeded));
    ASSERT_NE(cache.Find("kept"), nullptr) << "after " << i << " others";
  }
  EXPECT_LE(cache.size(), 1600u);
  EXPECT_GE(cache.size(), 1500u);
  EXPECT_EQ(cache.Find("task0"), nullptr);
}

TEST(SnapshotCache, HoldsNoMoreThanItsCapacityHoweverSmall) {
  for (const size_t capacity : {0, 1, 2, 3, 17, 100}) {
    SnapshotCache cache(capacity);
    for (int i = 0; i < 1000; ++i) cache.Put(Snapshot(absl::StrCat("task", i), TaskState::kSucceeded));
    EXPECT_EQ(cache.size(), capacity);
    EXPECT_EQ(cache.Find("task999") != nullptr, capacity > 0) << capacity;
  }
}

}  // namespace
}  // namespace taskwatch
