#include "client/cli/printable.h"

#include <gtest/gtest.h>

#include <string>

namespace taskwatch::client {
namespace {

struct Row {
  std::string text;
  std::string printed;
};

TEST(Printable, LeavesChineseAndEscapesWhatIsNotSeenOrMovesTheCursor) {
  const Row rows[] = {
      {"", ""},
      {"not found", "not found"},
      {"任务不存在：é, 🎉", "任务不存在：é, 🎉"},
      {R"(say "x\y")", R"(say "x\y")"},
      {"a\r\nb\tc", R"(a\x0d\x0ab\x09c)"},
      {std::string("a\0b", 3), R"(a\x00b)"},
      {"\x1b[2J\x7f", R"(\x1b[2J\x7f)"},
      // C1 controls, which some terminals take for escape sequences.
      {"\u009b2J", R"(\xc2\x9b2J)"},
      // Of no width: a space, a joiner, a byte order mark, a soft hyphen, a word joiner.
      {"a\u200bb\u200dc\ufeffd\u00ade\u2060f", R"(a\xe2\x80\x8bb\xe2\x80\x8dc\xef\xbb\xbfd\xc2\xade\xe2\x81\xa0f)"},
      // Marks, embeddings, overrides and isolates of the direction of writing.
      {"\u200e\u061c", R"(\xe2\x80\x8e\xd8\x9c)"},
      {"\u202a\u202e", R"(\xe2\x80\xaa\xe2\x80\xae)"},
      {"\u2066\u2069", R"(\xe2\x81\xa6\xe2\x81\xa9)"},
      {"\u2028\u2029", R"(\xe2\x80\xa8\xe2\x80\xa9)"},
      // Not UTF-8: a lone continuation, a cut sequence, an overlong one, a surrogate, beyond Unicode.
      {"\x80", R"(\x80)"},
      {"\xe4\xb8", R"(\xe4\xb8)"},
      {"\xe4\xb8"
       "a",
       R"(\xe4\xb8a)"},
      {"\xc0\xaf", R"(\xc0\xaf)"},
      {"\xed\xa0\x80", R"(\xed\xa0\x80)"},
      {"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},
  };
  for (const Row& row : rows) EXPECT_EQ(Printable(row.text), row.printed);
}

TEST(VisibleWidth, LeavesOutTheColours) { EXPECT_EQ(VisibleWidth("\x1b[36mrunning\x1b[0m  1"), 10u); }

TEST(VisibleWidth, IsTwoColumnsForChineseAndNoneForWhatCombines) {
  EXPECT_EQ(VisibleWidth("任务"), 4u);
  EXPECT_EQ(VisibleWidth("（a）"), 5u);
  EXPECT_EQ(VisibleWidth("e\u0301"), 1u);
  EXPECT_EQ(VisibleWidth("é"), 1u);
  EXPECT_EQ(VisibleWidth("🎉"), 2u);
  EXPECT_EQ(VisibleWidth("\x1b"), 0u);
}

TEST(FirstColumns, CutNoCharacterInHalf) {
  EXPECT_EQ(FirstColumns("任务", 4), "任务");
  EXPECT_EQ(FirstColumns("任务", 3), "任");
  EXPECT_EQ(FirstColumns("任务", 1), "");
  EXPECT_EQ(FirstColumns("abc", 2), "ab");
}

}  // namespace
}  // namespace taskwatch::client
