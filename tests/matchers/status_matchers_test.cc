#include "tests/matchers/status_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pointee;

absl::Status NotFound() {
  ErrorDetails details;
  details.reason = ErrorReason::kTaskNotFound;
  return MakeError(details, "no such task");
}

TEST(StatusMatchers, TellOkFromErrors) {
  EXPECT_THAT(absl::OkStatus(), IsOk());
  EXPECT_THAT(absl::StatusOr<int>(7), IsOk());
  EXPECT_THAT(NotFound(), Not(IsOk()));
  EXPECT_THAT(absl::StatusOr<int>(NotFound()), Not(IsOk()));
}

TEST(StatusMatchers, LookAtTheValue) {
  EXPECT_THAT(absl::StatusOr<int>(7), IsOkAndHolds(7));
  EXPECT_THAT(absl::StatusOr<int>(7), IsOkAndHolds(Gt(6)));
  EXPECT_THAT(absl::StatusOr<std::string>("ab"), IsOkAndHolds(HasSubstr("b")));
  EXPECT_THAT(absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(7)), IsOkAndHolds(Pointee(7)));
  EXPECT_THAT(absl::StatusOr<int>(7), Not(IsOkAndHolds(8)));
  EXPECT_THAT(absl::StatusOr<int>(NotFound()), Not(IsOkAndHolds(7)));
}

TEST(StatusMatchers, LookAtCodeAndMessage) {
  EXPECT_THAT(NotFound(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(absl::StatusOr<int>(NotFound()), StatusIs(absl::StatusCode::kNotFound, HasSubstr("such")));
  EXPECT_THAT(NotFound(), Not(StatusIs(absl::StatusCode::kNotFound, HasSubstr("other"))));
  EXPECT_THAT(NotFound(), Not(StatusIs(absl::StatusCode::kInternal)));
  EXPECT_THAT(absl::OkStatus(), StatusIs(absl::StatusCode::kOk));
}

TEST(StatusMatchers, LookAtTheReasonAndItsCode) {
  EXPECT_THAT(NotFound(), HasReason(ErrorReason::kTaskNotFound));
  EXPECT_THAT(absl::StatusOr<int>(NotFound()), HasReason(ErrorReason::kTaskNotFound));
  EXPECT_THAT(NotFound(), Not(HasReason(ErrorReason::kUpstreamTimeout)));
  EXPECT_THAT(absl::NotFoundError("without details"), Not(HasReason(ErrorReason::kTaskNotFound)));
}

TEST(StatusMatchers, ShowTheStatusThatTheyDoNotMatch) {
  ::testing::StringMatchResultListener listener;
  ::testing::ExplainMatchResult(IsOkAndHolds(7), absl::StatusOr<int>(NotFound()), &listener);
  EXPECT_THAT(listener.str(), HasSubstr("no such task"));
  listener.Clear();
  ::testing::ExplainMatchResult(HasReason(ErrorReason::kUpstreamTimeout), NotFound(), &listener);
  EXPECT_THAT(listener.str(), HasSubstr("'TASK_NOT_FOUND'"));
}

}  // namespace
}  // namespace taskwatch
