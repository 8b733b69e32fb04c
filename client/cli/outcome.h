// What a command has come to, over all its tasks.
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

  // The worst of it: trouble with the service over lack of time over a task that failed. A task that did not succeed is
  // never a success.
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
