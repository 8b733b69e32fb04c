#include "tests/simulation/recorded_gate.h"

#include <memory>

namespace taskwatch::simulation {

CallGate::RequestId RecordedGate::Acquire(CallRequest request, Done done) {
  // Known when Acquire returns, which is before the answer.
  auto id = std::make_shared<RequestId>(0);
  const Priority priority = request.priority;
  std::string task_id = request.task_id;
  *id = gate_->Acquire(std::move(request), [this, id, priority, task_id = std::move(task_id),
                                            done = std::move(done)](const absl::Status& permit) mutable {
    if (permit.ok()) OnPermit(*id, priority, task_id);
    done(permit);
  });
  return *id;
}

void RecordedGate::Report(RequestId id, const absl::Status& outcome) {
  if (id != 0 && out_.erase(id) == 0) {
    journal_->Break(Invariant::kSlotsAreFree, "the outcome of call ", id, ", which has no permit, is reported");
  }
  gate_->Report(id, outcome);
}

void RecordedGate::OnPermit(RequestId id, Priority priority, const std::string& task_id) {
  out_.insert(id);
  if (priority != Priority::kToken && !is_wanted_(task_id)) {
    journal_->Break(Invariant::kCallsAreWanted, "a call about ", task_id, " is made for nobody");
  }
}

}  // namespace taskwatch::simulation
