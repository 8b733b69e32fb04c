#include "service/dingtalk/tokens/fixed_access_token.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace {

absl::StatusOr<std::string> TokenOf(AccessTokenProvider& provider) {
  absl::StatusOr<std::string> result;
  provider.GetToken([&result](absl::StatusOr<std::string> token) { result = std::move(token); });
  return result;
}

TEST(FixedAccessToken, IsHandedOutUntilItIsRejected) {
  auto provider = FixedAccessToken::Create("canary\n", "DINGTALK_ACCESS_TOKEN");
  ASSERT_TRUE(provider.ok()) << provider.status();
  EXPECT_EQ(*TokenOf(**provider), "canary");
  (*provider)->Invalidate("another");
  EXPECT_EQ(*TokenOf(**provider), "canary");

  (*provider)->Invalidate("canary");
  const absl::StatusOr<std::string> rejected = TokenOf(**provider);
  ASSERT_FALSE(rejected.ok());
  EXPECT_EQ(DetailsOf(rejected.status()).reason, ErrorReason::kUpstreamUnauthenticated);
  EXPECT_TRUE(absl::StrContains(rejected.status().message(), "DINGTALK_ACCESS_TOKEN")) << rejected.status();
  EXPECT_FALSE(absl::StrContains(rejected.status().ToString(), "canary")) << rejected.status();
}

TEST(FixedAccessToken, IsNotMadeOfWhatIsNoToken) {
  const auto provider = FixedAccessToken::Create("can ary", "DINGTALK_ACCESS_TOKEN");
  ASSERT_FALSE(provider.ok());
  EXPECT_TRUE(absl::StrContains(provider.status().message(), "DINGTALK_ACCESS_TOKEN")) << provider.status();
  EXPECT_FALSE(absl::StrContains(provider.status().ToString(), "can ary")) << provider.status();
}

}  // namespace
}  // namespace taskwatch
