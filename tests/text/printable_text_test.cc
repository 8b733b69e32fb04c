#include "service/text/printable_text.h"

#include <string>

#include "gtest/gtest.h"

namespace taskwatch {
namespace {

struct Row {
  std::string text;
  std::string excerpt;
};

TEST(PrintableText, IsPlainTextAndChineseAsItIsAndTheRestEscaped) {
  const Row rows[] = {
      {"", ""},
      {"invalid token", "invalid token"},
      {"不合法的access_token", "不合法的access_token"},
      {"a\r\nb\tc", R"(a\x0d\x0ab\x09c)"},
      {std::string("a\0b", 3), R"(a\x00b)"},
      {R"(say "x\y")", R"(say \"x\\y\")"},
      {"\x7f\x1b[31m", R"(\x7f\x1b[31m)"},
      // Invisible, and what turns the direction of writing.
      {"a\u200bb\u202ec", R"(a\xe2\x80\x8bb\xe2\x80\xaec)"},
      {"\u0085", R"(\xc2\x85)"},
      // Not UTF-8: a lone continuation, a cut sequence, an overlong one, a surrogate, beyond Unicode.
      {"\x80", R"(\x80)"},
      {"\xe4\xb8", R"(\xe4\xb8)"},
      {"\xc0\xaf", R"(\xc0\xaf)"},
      {"\xed\xa0\x80", R"(\xed\xa0\x80)"},
      {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},
      {"\xff", R"(\xff)"},
  };
  for (const Row& row : rows) EXPECT_EQ(PrintableExcerpt(row.text, 100), row.excerpt);
}

TEST(PrintableText, LeavesNoPartOfASecret) {
  EXPECT_EQ(PrintableExcerpt("a canary, a canary", 100, "canary"), "a (secret), a (secret)");
  EXPECT_EQ(PrintableExcerpt("xxxxcanary", 7, "canary"), "xxxx(se...");
  EXPECT_EQ(PrintableExcerpt("abc", 100, ""), "abc");
}

TEST(PrintableText, CutsBetweenCharacters) {
  EXPECT_EQ(PrintableExcerpt("abcdef", 6), "abcdef");
  EXPECT_EQ(PrintableExcerpt("abcdef", 5), "abcde...");
  EXPECT_EQ(PrintableExcerpt("中文", 4), "中...");
  EXPECT_EQ(PrintableExcerpt("中文", 0), "...");
}

}  // namespace
}  // namespace taskwatch
