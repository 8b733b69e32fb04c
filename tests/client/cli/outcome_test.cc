#include "client/cli/outcome.h"

#include <gtest/gtest.h>

#include "tests/client/tasks.h"

namespace taskwatch::client {
namespace {

TEST(Outcome, IsASuccessIfAllTasksSucceeded) {
  Outcome outcome;
  outcome.AddDone(Succeeded(1));
  outcome.AddDone(Succeeded(2));
  EXPECT_EQ(outcome.exit_code(), ExitCode::kSuccess);
}

class Failed : public testing::TestWithParam<v1::TaskState> {};

TEST_P(Failed, IsNeverASuccess) {
  Outcome outcome;
  outcome.AddDone(Succeeded(1));
  outcome.AddDone(Task(GetParam(), 5, 1));
  EXPECT_EQ(outcome.exit_code(), ExitCode::kTaskFailed);
}

INSTANTIATE_TEST_SUITE_P(Outcome, Failed,
                         testing::Values(v1::TASK_STATE_PARTIALLY_FAILED, v1::TASK_STATE_ALL_FAILED,
                                         v1::TASK_STATE_FAILED));

TEST(Outcome, TellsTheWorst) {
  Outcome outcome;
  outcome.AddDone(Task(v1::TASK_STATE_FAILED, 5, 1));
  outcome.AddTimeout();
  EXPECT_EQ(outcome.exit_code(), ExitCode::kTimedOut);
  outcome.AddTrouble();
  EXPECT_EQ(outcome.exit_code(), ExitCode::kServiceTrouble);
}

}  // namespace
}  // namespace taskwatch::client
