#include "service/secrets/secret_text.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

TEST(SecretText, IsTrimmed) {
  for (const char* text : {"s3cret", "s3cret\n", " \t s3cret\r\n\n"}) {
    const absl::StatusOr<std::string> secret = TrimSecret(text, "the test");
    ASSERT_THAT(secret, IsOk());
    EXPECT_EQ(*secret, "s3cret");
  }
  EXPECT_THAT(TrimSecret(std::string(kMaxSecretLength, 'x'), "the test"), IsOk());
}

TEST(SecretText, IsRefusedWithoutBeingQuoted) {
  const std::string texts[] = {
      "",
      " \r\n",
      "can ary",
      "canary\ncanary",
      "canary\r\nx-injected: 1",
      std::string("can\0ary", 7),
      "canary\x7f",
      "canary\xc3\xa9",
      "\xef\xbb\xbf"
      "canary",
      std::string(kMaxSecretLength, 'x') + "canary",
  };
  for (const std::string& text : texts) {
    const absl::StatusOr<std::string> secret = TrimSecret(text, "the test");
    ASSERT_THAT(secret, StatusIs(absl::StatusCode::kInvalidArgument)) << text;
    EXPECT_TRUE(absl::StrContains(secret.status().message(), "the test")) << secret.status();
    EXPECT_FALSE(absl::StrContains(secret.status().ToString(), "canary")) << secret.status();
  }
}

}  // namespace
}  // namespace taskwatch
