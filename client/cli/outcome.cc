#include "client/cli/outcome.h"

namespace taskwatch::client {

void Outcome::AddDone(const v1::TaskInfo& task) {
  done_.push_back(task.task_id());
  if (task.state() != v1::TASK_STATE_SUCCEEDED) failed_ = true;
}

void Outcome::AddTimeout() { timed_out_ = true; }

void Outcome::AddTrouble() { trouble_ = true; }

ExitCode Outcome::exit_code() const {
  if (trouble_) return ExitCode::kServiceTrouble;
  if (timed_out_) return ExitCode::kTimedOut;
  return failed_ ? ExitCode::kTaskFailed : ExitCode::kSuccess;
}

}  // namespace taskwatch::client
