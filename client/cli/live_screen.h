// A block of lines at the bottom of a terminal that is redrawn in place, like a progress bar.
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

// Returns bytes; Console::Write writes them to the terminal, all at once so that nothing flickers. They use only cursor
// up, clear to the end, line wrap and colours, and leave the cursor below the block: if the process is killed, the
// terminal is in order.
class LiveScreen {
 public:
  // Draws `lines` (each no wider than the screen, escape sequences for colours aside) in place of the block drawn
  // before, also if the terminal has become narrower and has wrapped the old lines. If there are more lines than rows,
  // the last row says how many more ("... and 7 more lines"): lines that have scrolled away could not be redrawn.
  std::string Draw(const std::vector<std::string>& lines, const ScreenSize& size);

  // Draws all of `lines`, for the last time.
  std::string Finish(const std::vector<std::string>& lines, const ScreenSize& size);

 private:
  std::string Replace(const std::vector<std::string>& lines, const ScreenSize& size);

  // The columns that each line drawn last takes, and those of the screen then.
  std::vector<size_t> drawn_;
  int drawn_columns_ = 0;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_LIVE_SCREEN_H_
