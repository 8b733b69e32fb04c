#include "client/cli/outcome.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "taskwatch/client/rpc_status.h"

#include "tests/client/errors.h"
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
  outcome.AddError("t1", FromGrpcStatus(ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND")));
  EXPECT_EQ(outcome.exit_code(), ExitCode::kNoSuchTask);
  outcome.AddError("t2", absl::UnavailableError("refused"));
  EXPECT_EQ(outcome.exit_code(), ExitCode::kServiceTrouble);
  outcome.AddInterrupt();
  EXPECT_EQ(outcome.exit_code(), ExitCode::kInterrupted);
}

TEST(Outcome, HasNothingToGoOnWithForATaskThatDoesNotExist) {
  Outcome outcome;
  outcome.AddError("t1", FromGrpcStatus(ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND")));
  EXPECT_EQ(outcome.over(), std::vector<std::string>{"t1"});
  EXPECT_FALSE(outcome.may_go_on());
}

}  // namespace
}  // namespace taskwatch::client
