// The result of a command over all its tasks, and its exit code.
#ifndef TASKWATCH_CLIENT_CLI_OUTCOME_H_
#define TASKWATCH_CLIENT_CLI_OUTCOME_H_

#include <string>
#include <vector>

#include "taskwatch/v1/task_service.pb.h"

#include "client/cli/command_line.h"

namespace taskwatch::client {

// Collects how the tasks of one command ended. Not thread-safe.
class Outcome {
 public:
  // The task has ended in this state.
  void AddDone(const v1::TaskInfo& task);

  // It was not seen to end, because the time was up or because of trouble with the service.
  void AddTimeout();
  void AddTrouble();

  // The worst that happened: trouble with the service (3), else a timeout (4), else a task that did not succeed (1),
  // else success (0).
  ExitCode exit_code() const;

  // The ids of the tasks that have ended.
  const std::vector<std::string>& done() const { return done_; }

  // Whether waiting longer may help.
  bool timed_out() const { return timed_out_; }

 private:
  bool failed_ = false;
  bool timed_out_ = false;
  bool trouble_ = false;
  std::vector<std::string> done_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_OUTCOME_H_
