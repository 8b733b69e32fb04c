#include "client/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"

#include "client/cli/json_line.h"
#include "client/cli/task_line.h"

namespace taskwatch::client {
namespace {

void WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    // Nobody is there to be told.
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

bool Console::live() const {
  const char* const terminal = std::getenv("TERM");
  return !json_ && isatty(STDOUT_FILENO) != 0 && terminal != nullptr && absl::string_view(terminal) != "dumb";
}

bool Console::color() const {
  const char* const no_color = std::getenv("NO_COLOR");
  return live() && (no_color == nullptr || *no_color == '\0');
}

ScreenSize Console::size() const {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void Console::Show(const v1::TaskInfo& task) const { Line(json_ ? JsonLine(task) : PlainLine(task)); }

void Console::Line(const std::string& line) const { WriteAll(STDOUT_FILENO, absl::StrCat(line, "\n")); }

void Console::Write(absl::string_view bytes) const { WriteAll(STDOUT_FILENO, bytes); }

void Console::Complain(absl::string_view line) const {
  WriteAll(STDERR_FILENO, absl::StrCat("taskwatch: ", line, "\n"));
}

}  // namespace taskwatch::client
