// A matcher for the reason of the service's errors, as its clients see them. (That of tests/matchers looks at errors
// inside the service.)
//
//   EXPECT_THAT(client.Get("missing"), HasErrorReason("TASK_NOT_FOUND"));
#ifndef TASKWATCH_TESTS_CLIENT_REASON_MATCHER_H_
#define TASKWATCH_TESTS_CLIENT_REASON_MATCHER_H_

#include <gmock/gmock.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "taskwatch/client/rpc_status.h"

namespace taskwatch::client {
namespace internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace internal

// An error with this reason; with "", one without.
MATCHER_P(HasErrorReason, reason, std::string(negation ? "has not" : "has") + " the reason '" + reason + "'") {
  const absl::Status& status = internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return !status.ok() && ErrorReasonOf(status) == reason;
}

}  // namespace taskwatch::client

#endif  // TASKWATCH_TESTS_CLIENT_REASON_MATCHER_H_
