#include "client/cli/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/status/status.h"

#include "tests/matchers/status_matchers.h"

namespace taskwatch::client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

std::string FileWith(const std::string& content) {
  std::string path = testing::TempDir() + "/token";
  std::ofstream(path) << content;
  return path;
}

TEST(TokenFile, BecomesAHeader) {
  EXPECT_THAT(BearerFromFile(FileWith("secret-1\n")),
              IsOkAndHolds(ElementsAre(Pair("authorization", "Bearer secret-1"))));
}

TEST(TokenFile, IsReadAnew) {
  const std::string path = FileWith("old");
  static_cast<void>(BearerFromFile(path));
  FileWith("new");
  EXPECT_THAT(BearerFromFile(path), IsOkAndHolds(ElementsAre(Pair("authorization", "Bearer new"))));
}

TEST(TokenFile, IsNamedInErrorsButNotQuoted) {
  const absl::Status two = BearerFromFile(FileWith("secret-1 secret-2")).status();
  EXPECT_THAT(std::string(two.message()), HasSubstr("token"));
  EXPECT_THAT(std::string(two.message()), Not(HasSubstr("secret-")));
  EXPECT_THAT(BearerFromFile("/nonexistent/token"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(BearerFromFile(FileWith(" \n")), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace taskwatch::client
