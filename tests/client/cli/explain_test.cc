#include "client/cli/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
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
  EXPECT_THAT(
      Explain(absl::UnavailableError("connected before, but not now: failed to connect: Connection refused"), "h:1"),
      "h:1 was there, but cannot be reached now; is Taskwatch running?");
  EXPECT_THAT(Explain(absl::UnavailableError("Received http2 header with status: 502"), "h:1"),
              HasSubstr("the proxy on h:1 does not reach Taskwatch"));
  EXPECT_THAT(Explain(absl::UnauthenticatedError(""), "h:1"), HasSubstr("--token_file"));
  EXPECT_THAT(Explain(absl::UnavailableError("never seen"), "h:1"), HasSubstr("never seen (UNAVAILABLE)"));
}

TEST(Explain, NamesTheProxyThatIsInBetweenAndNotItsPassword) {
  setenv("http_proxy", "http://user:secret@proxy.example:3128", 1);
  const absl::Status dead = absl::UnavailableError(
      "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:3128: Failed to connect to remote host: "
      "Connection refused");
  EXPECT_EQ(Explain(dead, "h:1"),
            "there is no way to h:1 through the proxy proxy.example:3128, which http_proxy in the environment names: "
            "UNKNOWN: ipv4:10.0.0.1:3128: Failed to connect to remote host: Connection refused; is it right? no_proxy "
            "exempts hosts from it");
  EXPECT_THAT(Explain(dead, "127.0.0.1:1"), HasSubstr("nothing listens on 127.0.0.1:1"));
  unsetenv("http_proxy");
}

TEST(Explain, KeepsToOneLineThatMovesNoCursorAndLeavesChinese) {
  EXPECT_THAT(Explain(absl::AbortedError("a\nb\x1b[2J任务不存在"), "h:1"), HasSubstr(R"(a\x0ab\x1b[2J任务不存在)"));
}

std::string Later(const std::string& reason, std::optional<absl::Duration> delay) {
  return Explain(FromGrpcStatus(ServiceError(grpc::StatusCode::RESOURCE_EXHAUSTED, reason, delay)), "h:1");
}

TEST(Explain, TellsWhenToTryAgainAsTheServiceDoes) {
  EXPECT_THAT(Later("UPSTREAM_RATE_LIMITED", std::nullopt), HasSubstr("; try again in a moment ["));
  EXPECT_THAT(Later("UPSTREAM_RATE_LIMITED", absl::Seconds(60)), HasSubstr("; try again in 60 s ["));
  EXPECT_THAT(Later("UPSTREAM_IP_BANNED", absl::Seconds(300)), HasSubstr("; try again in 5 min ["));
  EXPECT_THAT(Later("MONTHLY_QUOTA_EXHAUSTED", absl::Hours(100)), HasSubstr("; try again in 5 days, or have"));
  EXPECT_THAT(Later("TOO_MANY_WATCHERS", absl::Seconds(7)), HasSubstr("or try again in 7 s ["));
  EXPECT_THAT(Later("TOO_MANY_CALLS", absl::Seconds(1)), HasSubstr("or try again in 1 s ["));
  EXPECT_THAT(Later("POLL_DEFERRED", absl::Hours(3)), HasSubstr("asked again in 3 h"));
}

TEST(Explain, SaysWhatToDoAboutEveryReasonOfTheContract) {
  std::ifstream proto("proto/taskwatch/v1/task_service.proto");
  std::string line;
  int reasons = 0;
  while (std::getline(proto, line)) {
    // "//   NOT_FOUND            TASK_NOT_FOUND                DingTalk does not know the task"
    std::istringstream words(line);
    std::string slashes, code, reason;
    if (line.substr(0, 5) != "//   " || !(words >> slashes >> code >> reason)) continue;
    // Of INVALID_REQUEST the message says all there is.
    if (reason == "INVALID_REQUEST") continue;
    ++reasons;
    EXPECT_THAT(Later(reason, absl::Seconds(1)), HasSubstr("said the service; ")) << reason;
  }
  EXPECT_GE(reasons, 18);
}

}  // namespace
}  // namespace taskwatch::client
