// The result of a command over all its tasks, and its exit code.
#ifndef TASKWATCH_CLIENT_CLI_OUTCOME_H_
#define TASKWATCH_CLIENT_CLI_OUTCOME_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/cli/exit_code.h"

namespace taskwatch::client {

// Collects how the tasks of one command ended. Not thread-safe.
class Outcome {
 public:
  // The task has ended in this state.
  void AddDone(const v1::TaskInfo& task);

  // It was not seen to end, because the time was up or Ctrl-C was pressed, ...
  void AddTimeout();
  void AddInterrupt();
  // ... or for this reason: there is no such task, or there was trouble with the service.
  void AddError(const std::string& task_id, const absl::Status& error);

  // The worst that happened: Ctrl-C (130), else trouble with the service (3), else a task that does not exist (5), else
  // a timeout (4), else a task that did not succeed (1), else success (0).
  ExitCode exit_code() const;

  // The ids of the tasks that have ended, or do not exist.
  const std::vector<std::string>& over() const { return over_; }

  // Whether waiting longer may help.
  bool may_go_on() const { return timed_out_ || interrupted_; }

 private:
  bool failed_ = false;
  bool timed_out_ = false;
  bool missing_ = false;
  bool trouble_ = false;
  bool interrupted_ = false;
  std::vector<std::string> over_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_OUTCOME_H_
