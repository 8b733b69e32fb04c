#include "service/dingtalk/doc_task.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/task/task_error.h"
#include "service/task/task_info.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Not;

void ExpectMalformed(const std::string& body) {
  const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", body);
  ASSERT_THAT(info, HasReason(ErrorReason::kUpstreamMalformedResponse)) << body;
  const ErrorDetails details = DetailsOf(info.status());
  EXPECT_EQ(details.reason, ErrorReason::kUpstreamMalformedResponse) << body;
  EXPECT_EQ(details.persistence, Persistence::kTransient) << body;
  EXPECT_LT(info.status().message().size(), 300u) << body;
  for (const char c : info.status().message()) EXPECT_GE(c, ' ') << body;
}

std::string WithStatus(absl::string_view status) { return absl::StrCat(R"({"taskId":"abcd","status":)", status, "}"); }

std::string WithCount(absl::string_view count) {
  return absl::StrCat(R"({"taskId":"abcd","status":0,"totalCount":)", count, "}");
}

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

TEST(TaskParser, ReadsTheApiPagesExample) {
  const absl::StatusOr<TaskInfo> info =
      ParseTaskInfo("abcd", R"({"taskId":"abcd","status":2,"totalCount":1,"succCount":1,"failCount":0})");
  ASSERT_THAT(info, IsOk());
  TaskInfo expected;
  expected.task_id = "abcd";
  expected.state = TaskState::kPartiallyFailed;
  expected.upstream_status = 2;
  expected.total_count = 1;
  expected.succeeded_count = 1;
  expected.failed_count = 0;
  EXPECT_EQ(*info, expected);
}

TEST(TaskParser, AcceptsEveryStatusOf32Bits) {
  struct Row {
    std::string status;
    int32_t upstream_status;
    TaskState state;
  };
  const Row rows[] = {
      {"-1", -1, TaskState::kWaiting},
      {"0", 0, TaskState::kRunning},
      {"1", 1, TaskState::kSucceeded},
      {"2", 2, TaskState::kPartiallyFailed},
      {"3", 3, TaskState::kAllFailed},
      {"4", 4, TaskState::kFailed},
      {R"("-1")", -1, TaskState::kWaiting},
      {R"("4")", 4, TaskState::kFailed},
      {"5", 5, TaskState::kUnrecognized},
      {"7", 7, TaskState::kUnrecognized},
      {"-2", -2, TaskState::kUnrecognized},
      {"2147483647", std::numeric_limits<int32_t>::max(), TaskState::kUnrecognized},
      {"-2147483648", std::numeric_limits<int32_t>::min(), TaskState::kUnrecognized},
  };
  for (const Row& row : rows) {
    const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", WithStatus(row.status));
    ASSERT_THAT(info, IsOk()) << row.status;
    EXPECT_EQ(info->upstream_status, row.upstream_status) << row.status;
    EXPECT_EQ(info->state, row.state) << row.status;
  }
}

TEST(TaskParser, RefusesWhatIsNoStatus) {
  for (const char* status : {"2147483648", "-2147483649", "4294967297", "99999999999999999999", "1.0", "1.5", "1e0",
                             R"("1.0")", R"("finished")", R"("")", R"(" 1")", "true", "false", "null", "[1]", "{}"}) {
    ExpectMalformed(WithStatus(status));
  }
  ExpectMalformed(R"({"taskId":"abcd"})");
  ExpectMalformed(R"({"taskId":"abcd","Status":1})");
}

TEST(TaskParser, TellsTheWordThatWasNoStatus) {
  const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", WithStatus(R"("finished")"));
  EXPECT_TRUE(absl::StrContains(info.status().message(), "status is \"finished\"")) << info.status();
}

TEST(TaskParser, AcceptsTheTaskIdInEveryFormAndItsAbsence) {
  struct Row {
    std::string task_id;
    std::string body;
  };
  const Row rows[] = {
      {"abcd", R"({"taskId":"abcd","status":1})"},
      {"1234", R"({"taskId":1234,"status":1})"},
      {"1234", R"({"taskId":"1234","status":1})"},
      {"123456789012345678901234567890", R"({"taskId":123456789012345678901234567890,"status":1})"},
      {"abcd", R"({"taskId":null,"status":1})"},
      {"abcd", R"({"status":1})"},
      {"abcd", R"({"status":1,"somethingNew":{"a":[1,2]}})"},
      {"abcd", "\xef\xbb\xbf {\"status\":1}\r\n"},
  };
  for (const Row& row : rows) {
    const absl::StatusOr<TaskInfo> info = ParseTaskInfo(row.task_id, row.body);
    ASSERT_THAT(info, IsOk()) << row.body;
    EXPECT_EQ(info->task_id, row.task_id) << row.body;
  }
}

TEST(TaskParser, RefusesAnotherTasksAnswer) {
  for (const char* task_id : {R"("abce")", R"("ABCD")", R"("abcd ")", R"("")", "1", "0.5", "true", "[]", "{}",
                              R"(["abcd"])", R"("abcd\u0000")"}) {
    ExpectMalformed(absl::StrCat(R"({"taskId":)", task_id, R"(,"status":1})"));
  }
}

TEST(TaskParser, DoesNotTellAnotherTasksId) {
  const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", R"({"taskId":"wxyz","status":1})");
  EXPECT_FALSE(absl::StrContains(info.status().message(), "wxyz")) << info.status();
}

TEST(TaskParser, AcceptsCountsAsNumbersStringsAndNotAtAll) {
  struct Row {
    std::string count;
    std::optional<int64_t> value;
  };
  const Row rows[] = {
      {"0", 0},
      {"17", 17},
      {R"("17")", 17},
      {"9223372036854775807", std::numeric_limits<int64_t>::max()},
      {"null", std::nullopt},
  };
  for (const Row& row : rows) {
    const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", WithCount(row.count));
    ASSERT_THAT(info, IsOk()) << row.count;
    EXPECT_EQ(info->total_count, row.value) << row.count;
    EXPECT_EQ(info->succeeded_count, std::nullopt);
    EXPECT_EQ(info->failed_count, std::nullopt);
  }
}

TEST(TaskParser, RefusesWhatIsNoCount) {
  for (const char* count : {"-1", R"("-1")", "9223372036854775808", "1.5", "1e3", R"("many")", R"("")", "true", "[]"}) {
    ExpectMalformed(WithCount(count));
  }
  ExpectMalformed(R"({"status":0,"succCount":-1})");
  ExpectMalformed(R"({"status":0,"failCount":"x"})");
}

TEST(TaskParser, DoesNotCheckCountsAgainstTheStatus) {
  EXPECT_THAT(ParseTaskInfo("abcd", R"({"status":1,"totalCount":3,"succCount":0,"failCount":9})"), IsOk());
}

TEST(TaskParser, RefusesABodyThatIsNoTask) {
  const std::string bodies[] = {
      "",
      "null",
      "[]",
      "{}",
      "1",
      R"("abcd")",
      R"([{"taskId":"abcd","status":1}])",
      R"({"result":{"taskId":"abcd","status":1}})",
      R"({"code":"systemError","message":"x"})",
      R"({"taskId":"abcd","status":1)",
      R"({"taskId":"abcd","status":1}x)",
      R"({"taskId":"abcd","status":1}{"taskId":"abcd","status":1})",
      std::string("{\"status\":1}\0", 13),
      "{\"taskId\":\"abcd\",\"status\":1,\"x\":\"\xff\"}",
      "<html></html>",
      "\x1f\x8b\x08",
  };
  for (const std::string& body : bodies) ExpectMalformed(body);
}

TEST(TaskParser, NeverReadsThePunishmentAsAStatus) {
  ExpectMalformed(R"({"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"0a1b"})");
  ExpectMalformed(R"({"taskId":"abcd","status":"1111"})");
  ExpectMalformed(R"({"taskId":"abcd","status":1,"punish":"deny"})");
}

TEST(TaskParser, TakesTheLastOfDuplicateKeys) {
  const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", R"({"status":1,"status":0})");
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->state, TaskState::kRunning);
}

TEST(TaskParser, SurvivesDeepNesting) {
  ExpectMalformed(std::string(1'000'000, '['));
  ExpectMalformed(absl::StrCat(R"({"status":1,"x":)", std::string(1'000'000, '['), std::string(1'000'000, ']'), "}"));
}

TEST(TaskParser, DoesNotRepeatTheTokenThatTheRequestCarried) {
  const std::string token(60, 'k');
  for (const char* field : {"status", "totalCount", "taskId"}) {
    const std::string body = absl::StrCat(R"({"status":0,")", field, R"(":")", token, R"("})");
    const absl::StatusOr<TaskInfo> info = ParseTaskInfo("abcd", body, token);
    ASSERT_THAT(info, Not(IsOk()));
    EXPECT_FALSE(absl::StrContains(info.status().message(), "kkkk")) << info.status();
  }
}

TEST(TaskParser, QuotesLittleOfALongWord) {
  const absl::StatusOr<TaskInfo> info =
      ParseTaskInfo("abcd", WithStatus(absl::StrCat("\"", std::string(10'000, 'x'), "\"")));
  ASSERT_THAT(info, Not(IsOk()));
  EXPECT_LT(info.status().message().size(), 200u);
}

}  // namespace
}  // namespace taskwatch
