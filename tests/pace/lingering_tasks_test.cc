#include "service/pace/lingering_tasks.h"

#include <gtest/gtest.h>

#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace taskwatch {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

LingeringTask TaskDueAt(absl::Time poll_time) {
  LingeringTask task;
  task.poll_time = poll_time;
  return task;
}

TEST(LingeringTasks, GivesBackWhatItWasGivenOnce) {
  LingeringTasks tasks({});
  tasks.Add("abcd", TaskDueAt(kNow + absl::Seconds(36)), kNow);
  EXPECT_EQ(tasks.Find("efgh", kNow), nullptr);
  ASSERT_NE(tasks.Find("abcd", kNow), nullptr);
  const std::optional<LingeringTask> taken = tasks.Take("abcd", kNow + absl::Seconds(1));
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->poll_time, kNow + absl::Seconds(36));
  EXPECT_FALSE(tasks.Take("abcd", kNow + absl::Seconds(1)).has_value());
  EXPECT_EQ(tasks.size(), 0u);
}

TEST(LingeringTasks, ForgetsATaskWhenItsTimeIsOver) {
  LingeringTasks tasks({});
  tasks.Add("abcd", LingeringTask(), kNow);
  EXPECT_NE(tasks.Find("abcd", kNow + absl::Minutes(10) - absl::Seconds(1)), nullptr);
  EXPECT_EQ(tasks.Find("abcd", kNow + absl::Minutes(10)), nullptr);
  EXPECT_FALSE(tasks.Take("abcd", kNow + absl::Minutes(10)).has_value());
}

TEST(LingeringTasks, LetsGoOfTheOldWhenSomethingIsAddedOrTaken) {
  LingeringTasks tasks({});
  for (int i = 0; i < 100; ++i) tasks.Add(absl::StrCat("old-", i), LingeringTask(), kNow);
  tasks.Add("new", LingeringTask(), kNow + absl::Minutes(10));
  EXPECT_EQ(tasks.size(), 1u);
  EXPECT_FALSE(tasks.Take("none", kNow + absl::Minutes(20)).has_value());
  EXPECT_EQ(tasks.size(), 0u);
}

TEST(LingeringTasks, LetsTheOldestGoWhenThereAreTooMany) {
  LingeringTasks::Options options;
  options.max_tasks = 3;
  LingeringTasks tasks(options);
  for (const char* const id : {"a", "b", "c"}) tasks.Add(id, LingeringTask(), kNow);
  // Comes back and leaves again.
  ASSERT_TRUE(tasks.Take("a", kNow).has_value());
  tasks.Add("a", LingeringTask(), kNow);
  tasks.Add("d", LingeringTask(), kNow);
  EXPECT_EQ(tasks.size(), 3u);
  EXPECT_EQ(tasks.Find("b", kNow), nullptr);
  for (const char* const id : {"c", "a", "d"}) EXPECT_NE(tasks.Find(id, kNow), nullptr) << id;
}

TEST(LingeringTasks, KeepsNothingIfItMayNot) {
  for (const LingeringTasks::Options& options :
       {LingeringTasks::Options{absl::ZeroDuration(), 10}, LingeringTasks::Options{absl::Minutes(1), 0}}) {
    LingeringTasks tasks(options);
    tasks.Add("abcd", LingeringTask(), kNow);
    EXPECT_EQ(tasks.size(), 0u);
  }
}

TEST(LingeringTasks, TrustsNoPlanMadeBeforeTheClockWasSetBack) {
  LingeringTasks tasks({});
  tasks.Add("abcd", TaskDueAt(kNow + absl::Seconds(36)), kNow);
  EXPECT_FALSE(tasks.Take("abcd", kNow - absl::Hours(1)).has_value());
}

TEST(LingeringTasks, TakesLittleMemory) {
  std::cout << "a task that lingers: " << sizeof(LingeringTask) << " bytes\n";
  EXPECT_LE(sizeof(LingeringTask), 512u);
}

}  // namespace
}  // namespace taskwatch
