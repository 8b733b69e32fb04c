// A block of lines at the bottom of a terminal that is drawn over and over.
#ifndef TASKWATCH_CLIENT_CLI_LIVE_SCREEN_H_
#define TASKWATCH_CLIENT_CLI_LIVE_SCREEN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace taskwatch::client {

struct ScreenSize {
  int columns = 80;
  int rows = 24;
};

// Makes the bytes; whoever holds the terminal writes them, each in one write so that nothing flickers. It uses no more
// of a terminal than moving up, clearing to the end and colours, and leaves the cursor below the block: whatever ends
// the process, the screen is in order.
class LiveScreen {
 public:
  // Draws `lines` (each no wider than the screen, escape sequences for colours aside) in place of what was drawn
  // before. A screen that has become narrower since has broken the old lines into more rows; they go too. Lines that
  // the screen has no room for are counted instead, since what has scrolled away cannot be drawn over.
  std::string Draw(const std::vector<std::string>& lines, const ScreenSize& size);

  // Draws all of `lines` and lets them stand.
  std::string Finish(const std::vector<std::string>& lines, const ScreenSize& size);

 private:
  std::string Replace(const std::vector<std::string>& lines, const ScreenSize& size);

  // The columns that each line drawn last takes, and those of the screen then.
  std::vector<size_t> drawn_;
  int drawn_columns_ = 0;
};

// The columns that `line` takes without its escape sequences.
size_t VisibleWidth(absl::string_view line);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_LIVE_SCREEN_H_
