// A program that a test starts, listens to and ends.
#ifndef TASKWATCH_TESTS_INTEGRATION_CHILD_PROCESS_H_
#define TASKWATCH_TESTS_INTEGRATION_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "tests/patience/patience.h"

namespace taskwatch {

// Runs from its construction until it ends by itself or by a signal. Its stdin is empty. What it has printed is told
// when any wait of the test is given up.
class ChildProcess {
 public:
  using Environment = std::map<std::string, std::string>;

  // `arguments` begin with the program's path. Its environment is `environment`, the options of the sanitizers, and
  // nothing else. Aborts the test program if it cannot be started.
  ChildProcess(const std::vector<std::string>& arguments, const Environment& environment);
  explicit ChildProcess(const std::vector<std::string>& arguments) : ChildProcess(arguments, {}) {}
  // Kills it, unless it has been seen to end.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  void Signal(int signal);

  // Waits until it has written a line that contains `text`, to stdout or stderr, or has closed both; returns that line,
  // or an empty one.
  std::string AwaitLine(absl::string_view text);

  // Waits for its end; its exit code, or less than zero, the signal that ended it. All that it wrote can be read then.
  int AwaitExit();

  // What it has written so far.
  std::string standard_output() const;
  std::string standard_error() const;

  // Its arguments as everybody on the machine sees them.
  std::string CommandLine() const;

  // The memory that it occupies, in bytes, and how many threads it has, now.
  size_t ResidentBytes() const;
  int Threads() const;

 private:
  // The number behind `name` in its /proc/PID/status.
  size_t StatusNumber(absl::string_view name) const;

  struct Output {
    int fd = -1;
    std::string text;
    bool ended = false;
    std::thread reader;
  };
  void Read(Output& output);

  const std::string name_;
  pid_t pid_ = 0;
  bool reaped_ = false;
  int exit_code_ = 0;
  mutable absl::Mutex mutex_;
  Output out_;
  Output err_;
  // Last, so that what it tells of is there.
  const Witness witness_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_INTEGRATION_CHILD_PROCESS_H_
