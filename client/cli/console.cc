#include "client/cli/console.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "client/cli/exit_code.h"
#include "client/cli/json_line.h"
#include "client/cli/task_line.h"

namespace taskwatch::client {
namespace {

// Returns false with `errno` if not all could be written.
bool WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      // Another program has made the file that it shares with us non-blocking.
      pollfd room = {fd, POLLOUT, 0};
      poll(&room, 1, /*timeout=*/-1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void WriteToStdout(absl::string_view bytes) {
  if (WriteAll(STDOUT_FILENO, bytes)) return;
  WriteAll(STDERR_FILENO, absl::StrCat("taskwatch: cannot write the output: ", std::strerror(errno), "\n"));
  _exit(static_cast<int>(ExitCode::kOutputLost));
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

void Console::Line(const std::string& line) const { WriteToStdout(absl::StrCat(line, "\n")); }

void Console::Write(absl::string_view bytes) const { WriteToStdout(bytes); }

void Console::Complain(absl::string_view line) const {
  WriteAll(STDERR_FILENO, absl::StrCat("taskwatch: ", line, "\n"));
}

void Console::Note(absl::string_view line) const {
  if (isatty(STDERR_FILENO) != 0) Complain(line);
}

}  // namespace taskwatch::client
