#include "flags/usage_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/time/time.h"

ABSL_FLAG(absl::Duration, test_duration, absl::ZeroDuration(), "");
ABSL_FLAG(bool, test_bool, false, "");
ABSL_FLAG(int32_t, test_count, 0, "");
ABSL_FLAG(double, test_rate, 0, "");

namespace taskwatch {
namespace {

// The process that parses `argument` ends as it does when a command line is wrong, having said only this.
void ExpectError(std::string argument, const std::string& line) {
  std::string program = "program";
  char* argv[] = {&program[0], &argument[0], nullptr};
  EXPECT_EXIT(ParseCommandLine("program: ", 2, argv), testing::ExitedWithCode(kUsageErrorExitCode),
              testing::Eq("program: " + line + "\n"));
}

TEST(UsageError, SaysInOneLineWhatIsWrongAndWhatToWrite) {
  ExpectError("--test_duration=5", "--test_duration: '5' is not a duration; give one like 90s or 10m");
  ExpectError("--test_bool=maybe", "--test_bool: 'maybe' is neither true nor false");
  ExpectError("--test_count=99999999999", "--test_count: '99999999999' is not a whole number, or is out of range");
  ExpectError("--test_rate=fast", "--test_rate: 'fast' is not a number");
  ExpectError("--test_duration", "--test_duration needs a value, like --test_duration=VALUE");
  ExpectError("--notest_bool=1", "--notest_bool takes no value");
  ExpectError("--notest_count", "there is no flag --notest_count; --test_count takes a value");
  ExpectError("--frobnicate", "there is no flag --frobnicate; see --help");
}

TEST(UsageError, MovesNoCursor) {
  ExpectError("--test_duration=\x1b[2J\n",
              R"(--test_duration: '\x1b[2J\n' is not a duration; give one like 90s or 10m)");
}

TEST(UsageError, KeepsWordsThatItDoesNotKnow) { EXPECT_EQ(FlagError("Something new\n"), "Something new"); }

TEST(UsageError, NamesTheFlagThatMayBeMeant) {
  EXPECT_EQ(FlagError("Unknown command line flag 'sever'. Did you mean: server ?"),
            "there is no flag --sever; did you mean --server?");
}

TEST(ParseCommandLine, ReturnsWhatIsNoFlag) {
  std::string program = "program", flag = "--test_count=3", argument = "t1";
  char* argv[] = {&program[0], &flag[0], &argument[0], nullptr};
  EXPECT_EQ(ParseCommandLine("program: ", 3, argv), (std::vector<char*>{argv[0], argv[2]}));
  EXPECT_EQ(absl::GetFlag(FLAGS_test_count), 3);
}

}  // namespace
}  // namespace taskwatch
