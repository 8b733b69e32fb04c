#include "tests/integration/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"

#include "tests/patience/patience.h"

namespace taskwatch {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// A line in `text` that contains `part` and is complete, or empty.
std::string LineIn(absl::string_view text, absl::string_view part) {
  const size_t end = text.rfind('\n');
  if (end == absl::string_view::npos) return "";
  for (const absl::string_view line : absl::StrSplit(text.substr(0, end), '\n')) {
    if (absl::StrContains(line, part)) return std::string(line);
  }
  return "";
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments, const Environment& environment)
    : name_(arguments.front()),
      witness_([this] { return absl::StrCat(name_, " printed:\n", standard_output(), standard_error()); }) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) Die("pipe2");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::vector<std::string> argument_list = arguments;
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(absl::StrCat(name, "=", value));
  // Where a sanitizer writes its reports (tests/sanitizers/run_test) holds for all that a test starts.
  for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) variables.push_back(absl::StrCat(name, "=", value));
  }
  errno = posix_spawn(&pid_, arguments.front().c_str(), &actions, nullptr, Pointers(argument_list).data(),
                      Pointers(variables).data());
  if (errno != 0) Die(arguments.front().c_str());
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  out_.fd = out[0];
  err_.fd = err[0];
  out_.reader = std::thread([this] { Read(out_); });
  err_.reader = std::thread([this] { Read(err_); });
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  AwaitExit();
}

void ChildProcess::Signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

std::string ChildProcess::AwaitLine(absl::string_view text) {
  std::string line;
  const auto found = [&] {
    mutex_.AssertHeld();
    line = LineIn(out_.text, text);
    if (line.empty()) line = LineIn(err_.text, text);
    return !line.empty() || (out_.ended && err_.ended);
  };
  Await(mutex_, absl::Condition(&found), absl::StrCat(name_, " to print '", text, "'"));
  return line;
}

int ChildProcess::AwaitExit() {
  if (std::exchange(reaped_, true)) return exit_code_;
  // glibc 2.36 declares a function for it, but not for C++.
  pollfd process = {static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)), POLLIN, 0};
  if (process.fd < 0) Die("pidfd_open");
  const int patience = static_cast<int>(absl::ToInt64Milliseconds(Patience()));
  if (poll(&process, 1, patience) == 0) GiveUp(absl::StrCat(name_, " to end"));
  close(process.fd);
  int status = 0;
  while (waitpid(pid_, &status, 0) != pid_) {
  }
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  out_.reader.join();
  err_.reader.join();
  return exit_code_;
}

std::string ChildProcess::standard_output() const {
  absl::MutexLock lock(&mutex_);
  return out_.text;
}

std::string ChildProcess::standard_error() const {
  absl::MutexLock lock(&mutex_);
  return err_.text;
}

std::string ChildProcess::CommandLine() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/cmdline"));
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

size_t ChildProcess::ResidentBytes() const { return StatusNumber("VmRSS:") * 1024; }

int ChildProcess::Threads() const { return static_cast<int>(StatusNumber("Threads:")); }

size_t ChildProcess::StatusNumber(absl::string_view name) const {
  std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
  std::string word;
  size_t number = 0;
  while (status >> word) {
    if (word == name) status >> number;
  }
  return number;
}

void ChildProcess::Read(Output& output) {
  char buffer[1 << 16];
  ssize_t size = 0;
  while ((size = read(output.fd, buffer, sizeof(buffer))) > 0) {
    absl::MutexLock lock(&mutex_);
    output.text.append(buffer, size);
  }
  close(output.fd);
  absl::MutexLock lock(&mutex_);
  output.ended = true;
}

}  // namespace taskwatch
