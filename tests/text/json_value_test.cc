#include "service/text/json_value.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/matchers/status_matchers.h"

namespace taskwatch {
namespace {

using testing::Not;

std::string Repeated(absl::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) absl::StrAppend(&result, text);
  return result;
}

TEST(JsonValue, ReadsEveryKindOfValue) {
  const absl::StatusOr<JsonValue> value =
      ParseJson(R"({"n":null,"b":true,"i":-7,"f":1.50,"s":"\u4e2d\n","a":[1,"x"],"o":{"k":2}})");
  ASSERT_THAT(value, IsOk());
  EXPECT_EQ(value->kind, JsonValue::Kind::kObject);
  EXPECT_EQ(value->Find("n")->kind, JsonValue::Kind::kNull);
  EXPECT_EQ(value->Find("b")->text, "true");
  EXPECT_EQ(value->Find("i")->text, "-7");
  EXPECT_EQ(value->Find("f")->text, "1.50");
  EXPECT_EQ(value->Find("s")->text, "中\n");
  ASSERT_EQ(value->Find("a")->members.size(), 2u);
  EXPECT_EQ(value->Find("a")->members[1].text, "x");
  EXPECT_EQ(value->Find("o")->Find("k")->AsInteger(), 2);
  EXPECT_EQ(value->Find("missing"), nullptr);
}

TEST(JsonValue, FindsCapitalisedMembersOnlyWhenAskedTo) {
  const absl::StatusOr<JsonValue> value = ParseJson(R"({"RequestId":"r"})");
  ASSERT_THAT(value, IsOk());
  EXPECT_EQ(value->Find("requestid"), nullptr);
  ASSERT_NE(value->FindIgnoringCase("requestid"), nullptr);
  EXPECT_EQ(value->FindIgnoringCase("requestid")->text, "r");
}

TEST(JsonValue, TakesTheLastOfDuplicates) {
  const absl::StatusOr<JsonValue> value = ParseJson(R"({"k":1,"k":2})");
  ASSERT_THAT(value, IsOk());
  EXPECT_EQ(value->Find("k")->AsInteger(), 2);
}

TEST(JsonValue, FindsNothingInWhatIsNoObject) {
  const absl::StatusOr<JsonValue> value = ParseJson(R"([{"k":1}])");
  ASSERT_THAT(value, IsOk());
  EXPECT_EQ(value->Find(""), nullptr);
  EXPECT_EQ(value->FindIgnoringCase("k"), nullptr);
}

TEST(JsonValue, IsAnIntegerOnlyIfItIsAWholeNumberOf64Bits) {
  struct Row {
    std::string json;
    std::optional<int64_t> integer;
  };
  const Row rows[] = {
      {"0", 0},
      {"-0", 0},
      {"-1", -1},
      {R"("12")", 12},
      {R"("-1")", -1},
      {"9223372036854775807", std::numeric_limits<int64_t>::max()},
      {"-9223372036854775808", std::numeric_limits<int64_t>::min()},
      {"9223372036854775808", std::nullopt},
      {"18446744073709551616", std::nullopt},
      {R"("9223372036854775808")", std::nullopt},
      {"1.0", std::nullopt},
      {"1e0", std::nullopt},
      {R"("1.0")", std::nullopt},
      {R"("0x1")", std::nullopt},
      {R"("+1")", std::nullopt},
      {R"(" 1")", std::nullopt},
      {R"("1 ")", std::nullopt},
      {R"("1\u0000")", std::nullopt},
      {R"("")", std::nullopt},
      {R"("-")", std::nullopt},
      {R"("one")", std::nullopt},
      {"true", std::nullopt},
      {"null", std::nullopt},
      {"[1]", std::nullopt},
  };
  for (const Row& row : rows) {
    const absl::StatusOr<JsonValue> value = ParseJson(row.json);
    ASSERT_THAT(value, IsOk()) << row.json;
    EXPECT_EQ(value->AsInteger(), row.integer) << row.json;
  }
}

TEST(JsonValue, RefusesWhatIsNotJson) {
  const std::string texts[] = {
      "",
      " ",
      "{",
      R"({"k":1)",
      R"({"k":1}})",
      R"({"k":1} x)",
      R"({"k":1,})",
      R"({'k':1})",
      "{k:1}",
      "nul",
      "NaN",
      "01",
      "1e999",
      "<html></html>",
      "\"\xff\"",
      "\"\xed\xa0\x80\"",
      R"("\ud800")",
      std::string("{}\0", 3),
      std::string("{}\0{}", 5),
      std::string("\0", 1),
  };
  for (const std::string& text : texts) {
    EXPECT_THAT(ParseJson(text), StatusIs(absl::StatusCode::kInvalidArgument)) << text;
  }
}

TEST(JsonValue, QuotesNothingOfWhatItRefuses) {
  const absl::StatusOr<JsonValue> value = ParseJson(R"({"accessToken":"canary", canary)");
  ASSERT_THAT(value, Not(IsOk()));
  EXPECT_FALSE(absl::StrContains(value.status().message(), "canary")) << value.status();
}

TEST(JsonValue, ForgetsWhatIsDeeperThanAnyAnswer) {
  const absl::StatusOr<JsonValue> value = ParseJson(R"({"1":{"2":{"3":{"4":{"5":{"6":7}}}}},"after":1})");
  ASSERT_THAT(value, IsOk());
  const JsonValue* fourth = value->Find("1")->Find("2")->Find("3")->Find("4");
  ASSERT_NE(fourth, nullptr);
  EXPECT_EQ(fourth->kind, JsonValue::Kind::kObject);
  EXPECT_TRUE(fourth->members.empty());
  EXPECT_EQ(value->Find("after")->AsInteger(), 1);
}

TEST(JsonValue, SurvivesAnyDepth) {
  // More levels than values are accepted, and as many as just are.
  EXPECT_THAT(ParseJson(Repeated("[", 1'000'000)), Not(IsOk()));
  EXPECT_THAT(ParseJson(absl::StrCat(Repeated("[", 1'000'000), Repeated("]", 1'000'000))), Not(IsOk()));
  const absl::StatusOr<JsonValue> deep = ParseJson(absl::StrCat(Repeated("[", 1000), Repeated("]", 1000)));
  ASSERT_THAT(deep, IsOk());
  const JsonValue copy = *deep;
  EXPECT_EQ(copy.kind, JsonValue::Kind::kArray);
}

TEST(JsonValue, RefusesMoreValuesThanAnyAnswerHas) {
  EXPECT_THAT(ParseJson(absl::StrCat("[", Repeated("0,", 998), "0]")), IsOk());
  EXPECT_THAT(ParseJson(absl::StrCat("[", Repeated("0,", 999), "0]")), Not(IsOk()));
}

}  // namespace
}  // namespace taskwatch
