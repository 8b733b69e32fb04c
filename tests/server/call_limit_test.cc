#include "service/server/call_limit.h"

#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

namespace taskwatch {
namespace {

const grpc::Status kRefusal(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");

TEST(CallLimit, HasAsManyPlacesAsItSays) {
  CallLimit limit(2, kRefusal);
  EXPECT_TRUE(limit.Take());
  EXPECT_TRUE(limit.Take());
  EXPECT_FALSE(limit.Take());
  EXPECT_EQ(limit.taken(), 2u);
  limit.Return();
  EXPECT_TRUE(limit.Take());
  EXPECT_EQ(limit.refusal().error_message(), "full");
}

TEST(CallLimit, TakesAPlaceInTheOneAroundItToo) {
  CallLimit around(3, kRefusal);
  CallLimit limit(2, kRefusal, &around);
  EXPECT_TRUE(limit.Take());
  EXPECT_EQ(around.taken(), 1u);
  limit.Return();
  EXPECT_EQ(around.taken(), 0u);
}

TEST(CallLimit, TakesNoPlaceAnywhereWhenEitherIsFull) {
  CallLimit around(3, kRefusal);
  CallLimit limit(2, kRefusal, &around);
  EXPECT_TRUE(limit.Take());
  EXPECT_TRUE(limit.Take());
  EXPECT_FALSE(limit.Take());
  EXPECT_EQ(around.taken(), 2u) << "the inner one is full";
  limit.Return();
  EXPECT_TRUE(around.Take());
  EXPECT_TRUE(around.Take());
  EXPECT_FALSE(limit.Take());
  EXPECT_EQ(limit.taken(), 1u) << "the outer one is full";
}

}  // namespace
}  // namespace taskwatch
