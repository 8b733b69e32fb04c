#include "service/text/printable_text.h"

#include <array>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace taskwatch {
namespace {

struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

// What would not be seen, or would change how its neighbours are seen.
constexpr std::array<CodePointRange, 10> kUnprintable = {{
    {0x00, 0x1f},
    {0x7f, 0x9f},
    {0xad, 0xad},
    {0x200b, 0x200f},
    {0x2028, 0x202e},
    {0x2060, 0x206f},
    {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},
    {0xfff0, 0xffff},
    {0xe0000, 0xe0fff},
}};

bool IsPrintable(uint32_t code_point) {
  for (const CodePointRange& range : kUnprintable) {
    if (range.first <= code_point && code_point <= range.last) return false;
  }
  return true;
}

struct CodePoint {
  uint32_t value;
  // In bytes; 0 if there is no well-formed UTF-8 sequence.
  size_t length;
};

// The code point at the start of `text`, which is not empty.
CodePoint FirstCodePoint(absl::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  const size_t length = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc0 || byte(0) > 0xf4 || text.size() < length) return {0, 0};
  uint32_t value = byte(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    value = (value << 6) | (byte(i) & 0x3fu);
  }
  constexpr std::array<uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = 0xd800 <= value && value <= 0xdfff;
  if (value < kSmallest[length] || value > 0x10ffff || surrogate) return {0, 0};
  return {value, length};
}

}  // namespace

std::string PrintableExcerpt(absl::string_view text, size_t max_bytes, absl::string_view secret) {
  if (!secret.empty() && absl::StrContains(text, secret)) {
    // Before the cut, which could leave a part of it.
    return PrintableExcerpt(absl::StrReplaceAll(text, {{secret, "(secret)"}}), max_bytes);
  }
  std::string result;
  size_t position = 0;
  while (position < text.size()) {
    const CodePoint next = FirstCodePoint(text.substr(position));
    const size_t length = next.length == 0 ? 1 : next.length;
    if (position + length > max_bytes) break;
    const absl::string_view bytes = text.substr(position, length);
    if (next.length == 0 || !IsPrintable(next.value)) {
      for (const char byte : bytes) {
        absl::StrAppend(&result, "\\x", absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad2));
      }
    } else {
      if (next.value == '"' || next.value == '\\') result += '\\';
      absl::StrAppend(&result, bytes);
    }
    position += length;
  }
  if (position < text.size()) result += "...";
  return result;
}

}  // namespace taskwatch
