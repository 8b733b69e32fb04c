#include "client/cli/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "taskwatch/client/rpc_status.h"

#include "tests/client/errors.h"

namespace taskwatch::client {
namespace {

using testing::HasSubstr;

TEST(Explain, NamesWhatToDoTheReasonAndTheRequestId) {
  const absl::Status status = FromGrpcStatus(ServiceError(grpc::StatusCode::NOT_FOUND, "TASK_NOT_FOUND"));
  EXPECT_EQ(Explain(status, "h:1"),
            "said the service; check the task id [TASK_NOT_FOUND, DingTalk's request id request-7]");
}

TEST(Explain, NamesTheReasonThatANewerServiceMayAdd) {
  const absl::Status status = FromGrpcStatus(ServiceError(grpc::StatusCode::ABORTED, "SOMETHING_NEW"));
  EXPECT_EQ(Explain(status, "h:1"), "said the service [SOMETHING_NEW, DingTalk's request id request-7]");
}

TEST(Explain, NamesTheLikelyCauseOfABrokenConnection) {
  EXPECT_THAT(Explain(absl::UnavailableError("Failed to connect to remote host: Connection refused"), "h:1"),
              HasSubstr("nothing listens on h:1"));
  EXPECT_THAT(Explain(absl::UnavailableError("Received http2 header with status: 502"), "h:1"),
              HasSubstr("the proxy on h:1 does not reach Taskwatch"));
  EXPECT_THAT(Explain(absl::UnauthenticatedError(""), "h:1"), HasSubstr("--token_file"));
  EXPECT_THAT(Explain(absl::UnavailableError("never seen"), "h:1"), HasSubstr("never seen (UNAVAILABLE)"));
}

TEST(Explain, KeepsToOneLineThatMovesNoCursor) { EXPECT_EQ(Printable("a\nb\x1b[2Jc\xe4\xbd\xa0"), "a?b?[2Jc???"); }

}  // namespace
}  // namespace taskwatch::client
