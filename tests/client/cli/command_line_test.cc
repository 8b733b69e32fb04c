#include "client/cli/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"

#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() { unsetenv("TASKWATCH_SERVER"); }

  void SetFlag(const std::string& name, const std::string& value) {
    std::string error;
    ASSERT_TRUE(absl::FindCommandLineFlag(name)->ParseFrom(value, &error)) << error;
  }

  std::string ErrorOf(const std::vector<std::string>& arguments) {
    return std::string(CommandFrom(arguments).status().message());
  }

 private:
  // Puts the flags back.
  const absl::FlagSaver saver_;
};

TEST_F(CommandLineTest, TakesTheTasksInOrderEachOnce) {
  const auto command = CommandFrom({"watch", "b", "a", "b"});
  EXPECT_EQ(command->name, Command::Name::kWatch);
  EXPECT_THAT(command->task_ids, ElementsAre("b", "a"));
}

TEST_F(CommandLineTest, HasDefaults) {
  const auto command = CommandFrom({"health"});
  EXPECT_EQ(command->channel.server, "127.0.0.1:50051");
  EXPECT_FALSE(command->channel.tls);
  EXPECT_FALSE(command->json);
  EXPECT_EQ(command->deadline, absl::InfiniteDuration());
}

TEST_F(CommandLineTest, TakesTheServerFromTheEnvironmentUnlessAFlagSaysElse) {
  setenv("TASKWATCH_SERVER", "a:1", 1);
  EXPECT_EQ(CommandFrom({"health"})->channel.server, "a:1");
  SetFlag("server", "b:2");
  EXPECT_EQ(CommandFrom({"health"})->channel.server, "b:2");
}

TEST_F(CommandLineTest, TakesATlsFileForTls) {
  SetFlag("tls_ca_file", "ca.pem");
  EXPECT_TRUE(CommandFrom({"health"})->channel.tls);
}

TEST_F(CommandLineTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(ErrorOf({}), HasSubstr("which command?"));
  EXPECT_THAT(ErrorOf({"frob", "t1"}), HasSubstr("'frob' is not a command"));
  EXPECT_THAT(ErrorOf({"get"}), HasSubstr("which task?"));
  EXPECT_THAT(ErrorOf({"health", "t1"}), HasSubstr("takes no task ids"));
}

TEST_F(CommandLineTest, RefusesWhatIsNoTaskIdWithoutPrintingItRaw) {
  EXPECT_THAT(ErrorOf({"get", "../x"}), HasSubstr("'../x' is not a task id"));
  EXPECT_THAT(ErrorOf({"get", std::string("\x1b[2J")}), HasSubstr("'\\x1b[2J'"));
  EXPECT_THAT(ErrorOf({"get", ""}), HasSubstr("'' is not a task id"));
  EXPECT_THAT(ErrorOf({"get", std::string(129, 'a')}), HasSubstr("is not a task id"));
}

TEST_F(CommandLineTest, RefusesAUrl) {
  SetFlag("server", "https://host:1");
  EXPECT_THAT(ErrorOf({"health"}), HasSubstr("--server: the server is HOST:PORT, not a URL"));
}

TEST_F(CommandLineTest, TakesNoPortForGranted) {
  SetFlag("server", "localhost");
  EXPECT_THAT(ErrorOf({"health"}), HasSubstr("has no port; write HOST:PORT, like localhost:50051"));
}

TEST_F(CommandLineTest, RefusesAnotherOutput) {
  SetFlag("output", "yaml");
  EXPECT_THAT(ErrorOf({"health"}), HasSubstr("--output must be text or json"));
}

TEST_F(CommandLineTest, RefusesDurationsThatMakeNoSense) {
  SetFlag("deadline", "0s");
  EXPECT_THAT(ErrorOf({"health"}), HasSubstr("--deadline must be more than 0"));
  SetFlag("deadline", "1s");
  SetFlag("timeout", "1s");
  EXPECT_THAT(ErrorOf({"watch", "t1"}), HasSubstr("--timeout is for wait"));
  EXPECT_THAT(CommandFrom({"wait", "t1"}), IsOk());
  SetFlag("timeout", "-1s");
  EXPECT_THAT(ErrorOf({"wait", "t1"}), HasSubstr("--timeout must not be negative"));
}

TEST_F(CommandLineTest, SendsATokenToThisMachineOrByTlsOnly) {
  SetFlag("token_file", "token");
  EXPECT_THAT(CommandFrom({"health"}), IsOk());
  for (const char* const elsewhere :
       {"taskwatch.example:50051", "127.evil.example:50051", "localhost.evil.example:1"}) {
    SetFlag("server", elsewhere);
    EXPECT_THAT(ErrorOf({"health"}), HasSubstr("unencrypted"));
  }
  SetFlag("tls", "true");
  EXPECT_THAT(CommandFrom({"health"}), IsOk());
}

TEST(ResumeCommand, LeavesOutWhatIsDoneAndQuotesTheRest) {
  EXPECT_EQ(ResumeCommand({"watch", "a", "b", "--server=h:1", "--token_file=my token's"}, {"a"}),
            "taskwatch watch b --server=h:1 '--token_file=my token'\\''s'");
}

}  // namespace
}  // namespace taskwatch::client
