#include "client/cli/printable.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace taskwatch::client {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

constexpr Range kUnprintable[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x34f, 0x34f},      {0x61c, 0x61c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x200b, 0x200f},    {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164}, {0xd800, 0xf8ff},   {0xfe00, 0xfe0f},    {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xffff}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};

// Of East Asian width W or F (Unicode's EastAsianWidth.txt), in blocks: where a block has others too, two columns are
// taken to be on the safe side.
constexpr Range kWide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23f3},   {0x25fd, 0x25fe},   {0x2614, 0x2615},
    {0x2648, 0x2653},   {0x26aa, 0x26ab},   {0x26bd, 0x26be},   {0x2705, 0x2705},   {0x270a, 0x270b},
    {0x274c, 0x274c},   {0x2753, 0x2757},   {0x2795, 0x2797},   {0x2b1b, 0x2b1c},   {0x2e80, 0x303e},
    {0x3041, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe1f},
    {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18dff}, {0x1aff0, 0x1b2ff},
    {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f7e0, 0x1f7ff}, {0x1f90c, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

constexpr Range kCombining[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},   {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x302a, 0x302d}, {0x3099, 0x309a}, {0xfe20, 0xfe2f},
};

template <size_t size>
bool IsIn(const Range (&ranges)[size], uint32_t code_point) {
  return std::any_of(std::begin(ranges), std::end(ranges), [code_point](const Range& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

struct Character {
  uint32_t code_point = 0;
  // In bytes.
  size_t length = 1;
  bool is_utf8 = false;
};

// The character at the start of `text`, which is not empty.
Character FirstCharacter(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1, true};
  const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc0 || byte(0) > 0xf4 || text.size() < length) return {};
  uint32_t code_point = byte(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code_point = (code_point << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = 0xd800 <= code_point && code_point <= 0xdfff;
  if (code_point < kSmallest[length] || code_point > 0x10ffff || surrogate) return {};
  return {code_point, length, true};
}

size_t WidthOf(const Character& character) {
  if (IsIn(kCombining, character.code_point)) return 0;
  return IsIn(kWide, character.code_point) ? 2 : 1;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Character next = FirstCharacter(text);
    const absl::string_view bytes = text.substr(0, next.length);
    if (next.is_utf8 && !IsIn(kUnprintable, next.code_point)) {
      absl::StrAppend(&result, bytes);
    } else {
      for (const char byte : bytes) {
        absl::StrAppend(&result, "\\x", absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad2));
      }
    }
    text.remove_prefix(next.length);
  }
  return result;
}

size_t VisibleWidth(absl::string_view line) {
  size_t width = 0;
  while (!line.empty()) {
    if (line[0] == '\x1b') {
      // The only sequences are colours, which end with an m.
      line.remove_prefix(std::min(line.find('m'), line.size() - 1) + 1);
      continue;
    }
    const Character next = FirstCharacter(line);
    width += WidthOf(next);
    line.remove_prefix(next.length);
  }
  return width;
}

absl::string_view FirstColumns(absl::string_view text, size_t columns) {
  size_t end = 0, width = 0;
  while (end < text.size()) {
    const Character next = FirstCharacter(text.substr(end));
    width += WidthOf(next);
    if (width > columns) break;
    end += next.length;
  }
  return text.substr(0, end);
}

}  // namespace taskwatch::client
