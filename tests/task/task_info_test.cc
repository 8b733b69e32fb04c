#include "service/task/task_info.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace taskwatch {
namespace {

TEST(TaskState, FollowsDingTalksTable) {
  struct Row {
    int32_t status;
    TaskState state;
    bool done;
  };
  const std::vector<Row> rows = {
      {-1, TaskState::kWaiting, false},
      {0, TaskState::kRunning, false},
      {1, TaskState::kSucceeded, true},
      {2, TaskState::kPartiallyFailed, true},
      {3, TaskState::kAllFailed, true},
      {4, TaskState::kFailed, true},
      {5, TaskState::kUnrecognized, false},
      {7, TaskState::kUnrecognized, false},
      {-2, TaskState::kUnrecognized, false},
      {2147483647, TaskState::kUnrecognized, false},
      {-2147483648, TaskState::kUnrecognized, false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(TaskStateFromUpstream(row.status), row.state) << row.status;
    EXPECT_EQ(IsDone(row.state), row.done) << row.status;
  }
}

TEST(TaskId, IsRefusedWhenItCouldLeaveItsPlaceInAPath) {
  const std::vector<std::string> bad = {
      "",
      ".",
      "..",
      "../../v1.0/x",
      "a/b",
      "a%2e",
      "a b",
      "a?b",
      "a#b",
      std::string("a\0b", 3),
      "a\nb",
      "\xc3\xa9",
      std::string(129, 'a'),
  };
  for (const std::string& task_id : bad) EXPECT_FALSE(IsValidTaskId(task_id)) << task_id;
}

TEST(TaskId, IsTakenInEveryPlainForm) {
  for (const std::string& task_id : {std::string("a"), std::string("AZaz09_-"), std::string(128, 'x')}) {
    EXPECT_TRUE(IsValidTaskId(task_id)) << task_id;
  }
}

TaskInfo Example() {
  TaskInfo info;
  info.task_id = "abcd";
  info.state = TaskState::kPartiallyFailed;
  info.upstream_status = 2;
  info.total_count = 1;
  info.succeeded_count = 1;
  info.failed_count = 0;
  return info;
}

TEST(Etag, DiffersWhereverTheContentDoes) {
  std::vector<TaskInfo> variants(8, Example());
  variants[1].task_id = "abce";
  variants[2].state = TaskState::kFailed;
  variants[3].upstream_status = 4;
  variants[4].total_count = 2;
  variants[5].succeeded_count = std::nullopt;
  variants[6].failed_count = 1;
  variants[7].total_count = std::nullopt;
  std::set<std::string> etags;
  for (const TaskInfo& info : variants) etags.insert(EtagOf(info));
  EXPECT_EQ(etags.size(), variants.size());
}

TEST(Etag, IsTheSameInEveryProcessAndVersion) { EXPECT_EQ(EtagOf(Example()), "46e31fe1b4bedbce"); }

}  // namespace
}  // namespace taskwatch
