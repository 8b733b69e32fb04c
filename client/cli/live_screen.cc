#include "client/cli/live_screen.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "client/cli/printable.h"

namespace taskwatch::client {

std::string LiveScreen::Draw(const std::vector<std::string>& lines, const ScreenSize& size) {
  // The row below the block is the cursor's.
  const auto room = static_cast<size_t>(std::max(size.rows - 1, 1));
  if (lines.size() <= room) return Replace(lines, size);
  std::vector<std::string> shown(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(room - 1));
  const std::string rest = absl::StrCat("... and ", lines.size() - shown.size(), " more lines");
  shown.push_back(rest.substr(0, static_cast<size_t>(std::max(size.columns, 1))));
  return Replace(shown, size);
}

std::string LiveScreen::Finish(const std::vector<std::string>& lines, const ScreenSize& size) {
  std::string bytes = Replace(lines, size);
  drawn_.clear();
  return bytes;
}

std::string LiveScreen::Replace(const std::vector<std::string>& lines, const ScreenSize& size) {
  const auto columns = static_cast<size_t>(std::max(size.columns, 1));
  size_t rows = 0;
  for (const size_t width : drawn_) rows += std::max<size_t>((width + columns - 1) / columns, 1);
  rows = std::min(rows, static_cast<size_t>(std::max(size.rows - 1, 0)));

  // Without wrapping: the terminal may have become narrower without our knowing it yet, and then a line that broke into
  // two would leave one behind.
  std::string bytes = "\x1b[?7l\r";
  if (rows > 0) absl::StrAppend(&bytes, "\x1b[", rows, "A");
  // Some terminals remember of a row that it was broken off, and join it with the next when they are resized again,
  // until it is cleared as a whole. Otherwise clearing line by line flickers less.
  if (!drawn_.empty() && size.columns != drawn_columns_) absl::StrAppend(&bytes, "\x1b[J");
  drawn_columns_ = size.columns;
  drawn_.clear();
  for (const std::string& line : lines) {
    absl::StrAppend(&bytes, line, "\x1b[K\r\n");
    drawn_.push_back(VisibleWidth(line));
  }
  absl::StrAppend(&bytes, "\x1b[J\x1b[?7h");
  return bytes;
}

}  // namespace taskwatch::client
