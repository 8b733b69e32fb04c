#include "service/runtime/lifetime.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace taskwatch {
namespace {

TEST(Lifetime, PassesArgumentsOnWhileItLasts) {
  const Lifetime lifetime;
  int sum = 0;
  absl::AnyInvocable<void(int, std::unique_ptr<int>)> add =
      lifetime.Guard([&sum](int a, std::unique_ptr<int> b) { sum += a + *b; });

  add(1, std::make_unique<int>(2));
  add(3, std::make_unique<int>(4));

  EXPECT_EQ(sum, 10);
}

TEST(Lifetime, SilencesCallbacksOnceItHasEnded) {
  std::optional<Lifetime> lifetime(std::in_place);
  int calls = 0;
  absl::AnyInvocable<void()> count = lifetime->Guard([&calls] { ++calls; });
  count();

  lifetime.reset();
  count();

  EXPECT_EQ(calls, 1);
}

TEST(Lifetime, TellsALoopThatItsOwnObjectIsGone) {
  auto lifetime = std::make_unique<Lifetime>();
  const Lifetime::Observer observer(*lifetime);
  EXPECT_FALSE(observer.ended());

  lifetime.reset();

  EXPECT_TRUE(observer.ended());
}

}  // namespace
}  // namespace taskwatch
