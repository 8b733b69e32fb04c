#include "service/dingtalk/tokens/fixed_access_token.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "service/runtime/simulated_loop.h"
#include "service/task/task_error.h"
#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Not;

absl::StatusOr<std::string> TokenOf(SimulatedLoop& loop, AccessTokenProvider& provider) {
  std::optional<absl::StatusOr<std::string>> result;
  provider.GetToken([&result](absl::StatusOr<std::string> token) { result = std::move(token); });
  EXPECT_FALSE(result.has_value()) << "called before GetToken returned";
  loop.RunPosted();
  return result.has_value() ? *std::move(result) : absl::InternalError("no answer");
}

TEST(FixedAccessToken, IsHandedOutUntilItIsRejected) {
  SimulatedLoop loop;
  auto provider = FixedAccessToken::Create(&loop, "canary\n", "DINGTALK_ACCESS_TOKEN");
  ASSERT_THAT(provider, IsOk());
  EXPECT_THAT(TokenOf(loop, **provider), IsOkAndHolds("canary"));
  (*provider)->Invalidate("another");
  EXPECT_THAT(TokenOf(loop, **provider), IsOkAndHolds("canary"));

  EXPECT_EQ((*provider)->Cached(), "canary");
  EXPECT_TRUE((*provider)->HasToken());

  (*provider)->Invalidate("canary");
  EXPECT_EQ((*provider)->Cached(), std::nullopt);
  EXPECT_FALSE((*provider)->HasToken());
  const absl::StatusOr<std::string> rejected = TokenOf(loop, **provider);
  ASSERT_THAT(rejected, HasReason(ErrorReason::kUpstreamUnauthenticated));
  EXPECT_TRUE(absl::StrContains(DetailsOf(rejected.status()).log_detail, "DINGTALK_ACCESS_TOKEN")) << rejected.status();
  EXPECT_FALSE(absl::StrContains(rejected.status().message(), "DINGTALK_ACCESS_TOKEN")) << rejected.status();
  EXPECT_FALSE(absl::StrContains(rejected.status().ToString(), "canary")) << rejected.status();
}

TEST(FixedAccessToken, CallsNobodyOnceDestroyed) {
  SimulatedLoop loop;
  auto provider = FixedAccessToken::Create(&loop, "canary", "DINGTALK_ACCESS_TOKEN");
  ASSERT_THAT(provider, IsOk());
  bool called = false;
  (*provider)->GetToken([&called](const absl::StatusOr<std::string>&) { called = true; });
  provider->reset();
  loop.RunPosted();
  EXPECT_FALSE(called);
}

TEST(FixedAccessToken, IsNotMadeOfWhatIsNoToken) {
  SimulatedLoop loop;
  const auto provider = FixedAccessToken::Create(&loop, "can ary", "DINGTALK_ACCESS_TOKEN");
  ASSERT_THAT(provider, Not(IsOk()));
  EXPECT_TRUE(absl::StrContains(provider.status().message(), "DINGTALK_ACCESS_TOKEN")) << provider.status();
  EXPECT_FALSE(absl::StrContains(provider.status().ToString(), "can ary")) << provider.status();
}

}  // namespace
}  // namespace taskwatch
