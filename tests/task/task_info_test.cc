#include "service/task/task_info.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace taskwatch {
namespace {

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
