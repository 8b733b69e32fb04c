#include "client/cli/json_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/client/tasks.h"

namespace taskwatch::client {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(JsonLine, HasProto3sNamesOnOneLine) {
  const std::string json = JsonLine(Running(3, 1));
  EXPECT_THAT(json, HasSubstr(R"("taskId":"t1","state":"TASK_STATE_RUNNING","done":false)"));
  EXPECT_THAT(json, HasSubstr(R"("succeededCount":"3")"));
  EXPECT_THAT(json, Not(HasSubstr("\n")));
}

TEST(JsonLine, LeavesOutCountsThatAreNotKnown) { EXPECT_THAT(JsonLine(v1::TaskInfo()), Not(HasSubstr("Count"))); }

}  // namespace
}  // namespace taskwatch::client
