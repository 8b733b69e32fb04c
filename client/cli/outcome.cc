#include "client/cli/outcome.h"

#include "taskwatch/client/rpc_status.h"

namespace taskwatch::client {

void Outcome::AddDone(const v1::TaskInfo& task) {
  over_.push_back(task.task_id());
  if (task.state() != v1::TASK_STATE_SUCCEEDED) failed_ = true;
}

void Outcome::AddTimeout() { timed_out_ = true; }

void Outcome::AddInterrupt() { interrupted_ = true; }

void Outcome::AddError(const std::string& task_id, const absl::Status& error) {
  if (ErrorReasonOf(error) != "TASK_NOT_FOUND") {
    trouble_ = true;
    return;
  }
  missing_ = true;
  over_.push_back(task_id);
}

ExitCode Outcome::exit_code() const {
  if (interrupted_) return ExitCode::kInterrupted;
  if (trouble_) return ExitCode::kServiceTrouble;
  if (missing_) return ExitCode::kNoSuchTask;
  if (timed_out_) return ExitCode::kTimedOut;
  return failed_ ? ExitCode::kTaskFailed : ExitCode::kSuccess;
}

}  // namespace taskwatch::client
