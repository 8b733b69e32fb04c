// Checks what is promised of permits for calls, between what asks for them and the CallQueue.
#ifndef TASKWATCH_TESTS_SIMULATION_RECORDED_GATE_H_
#define TASKWATCH_TESTS_SIMULATION_RECORDED_GATE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/call_gate.h"
#include "service/runtime/simulated_loop.h"
#include "tests/simulation/journal.h"

namespace taskwatch::simulation {

class RecordedGate final : public CallGate {
 public:
  // Whether somebody wants to know more of a task, or did so at this moment.
  using IsWanted = std::function<bool(const std::string& task_id)>;

  // `loop`, `journal` and `gate` must outlive it.
  RecordedGate(const SimulatedLoop* loop, Journal* journal, CallGate* gate, IsWanted is_wanted)
      : loop_(loop), journal_(journal), gate_(gate), is_wanted_(std::move(is_wanted)) {}

  RequestId Acquire(CallRequest request, Done done) override;
  void Join(RequestId id, Priority priority, absl::Time deadline) override { gate_->Join(id, priority, deadline); }
  bool Cancel(RequestId id) override { return gate_->Cancel(id); }
  void Report(RequestId id, const absl::Status& outcome) override;

  // How many permits have been given of which nobody has said what became of them.
  size_t out() const { return out_.size(); }

 private:
  // Something is wrong with the app as a whole, and DingTalk has said so.
  struct Trouble {
    // Before this no probe is to be made; since the start.
    absl::Duration pause_end;
    // The probe that is under way, or 0.
    RequestId probe = 0;
    // A new month ends all pauses.
    absl::CivilMonth month;
  };

  void OnPermit(RequestId id, Priority priority, const std::string& task_id);
  // What the outcome of a call about a task says of the app.
  void Learn(RequestId id, const absl::Status& outcome);

  const SimulatedLoop* const loop_;
  Journal* const journal_;
  CallGate* const gate_;
  const IsWanted is_wanted_;
  // The calls that have their permit; of those for tokens, which are of another API, no trouble is learnt.
  std::set<RequestId> out_;
  std::set<RequestId> token_calls_;
  std::optional<Trouble> trouble_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_RECORDED_GATE_H_
