// The real taskwatchd, as a process of its own.
#ifndef TASKWATCH_TESTS_INTEGRATION_TASKWATCHD_PROCESS_H_
#define TASKWATCH_TESTS_INTEGRATION_TASKWATCHD_PROCESS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

#include "tests/integration/calls.h"
#include "tests/integration/child_process.h"

namespace taskwatch {

// Relative to where Bazel runs tests.
inline constexpr char kTaskwatchd[] = "service/taskwatchd";
// What ScriptedGateway and other careless gateways take for a token.
inline constexpr char kToken[] = "integration-test-token";

using Flags = std::vector<std::string>;

// The whole command line of a taskwatchd that keeps nothing, unless its flags say else: the last one of a name counts.
inline Flags WithProgram(Flags flags) {
  flags.insert(flags.begin(), {kTaskwatchd, "--state_file=:memory:"});
  return flags;
}

// A taskwatchd that serves. It asks as much as it likes, unless its flags say else.
class Taskwatchd {
 public:
  Taskwatchd(const std::string& upstream_url, Flags flags, const ChildProcess::Environment& environment)
      : process_(WithProgram(WithBasics(upstream_url, std::move(flags))), environment) {
    start_line_ = process_.AwaitLine("listening on ");
    const absl::string_view after = absl::string_view(start_line_).substr(start_line_.find("listening on ") + 13);
    address_ = std::string(after.substr(0, after.find(',')));
    stub_ = v1::TaskService::NewStub(NewChannel(address_));
  }
  // With the token kToken.
  explicit Taskwatchd(const std::string& upstream_url, Flags flags = {})
      : Taskwatchd(upstream_url, std::move(flags), {{"DINGTALK_ACCESS_TOKEN", kToken}}) {}

  ChildProcess& process() { return process_; }
  const std::string& start_line() const { return start_line_; }
  const std::string& address() const { return address_; }
  v1::TaskService::Stub& stub() { return *stub_; }

 private:
  static Flags WithBasics(const std::string& upstream_url, Flags flags) {
    const Flags basics = {"--listen=127.0.0.1:0", absl::StrCat("--dingtalk_base_url=", upstream_url),
                          "--upstream_qps=0", "--upstream_monthly_calls=0"};
    flags.insert(flags.begin(), basics.begin(), basics.end());
    return flags;
  }

  ChildProcess process_;
  std::string start_line_;
  std::string address_;
  std::unique_ptr<v1::TaskService::Stub> stub_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_INTEGRATION_TASKWATCHD_PROCESS_H_
