// The calls that wait for their turn, and the count of those made.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_QUEUE_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/quota/call_budget.h"
#include "service/quota/call_gate.h"
#include "service/quota/call_ledger.h"
#include "service/runtime/event_loop.h"

namespace taskwatch {

// Lets calls through as CallBudget has it. Callers come before polls, but every tenth call is a poll's if one waits;
// among themselves callers come by their deadlines and polls in order. A call whose turn would come after its deadline
// is refused at once (kUpstreamRateLimited), as are those that the month or a pause of DingTalk's stands against; so
// what waits here waits for seconds.
//
// *No call is made that the ledger does not know of.* Calls are written to it in blocks, before they are made: what
// stands there is at most `block` more than what was made, and never less. A crash leaves it so, an orderly end writes
// the true number. The next block is written while the last one is being used, so the disk delays a call only if it is
// slower than that. When the ledger fails, calls go on: they are counted in memory, and the ledger is tried again with
// each block.
//
// Logs when calls begin to be held back, when that ends, and how the month is spent; changes, not calls.
//
// Lives on the event loop's thread.
class CallQueue final : public CallGate {
 public:
  struct Options {
    CallBudget::Options budget;
    int64_t block = 10;
  };

  // Counters since the start, and gauges.
  struct Stats {
    CallBudget::Stats budget;
    // What the ledger has for this month; at least budget.calls, unless it fails.
    int64_t recorded_calls = 0;
    bool ledger_failing = false;
    size_t callers_waiting = 0;
    size_t polls_waiting = 0;
    uint64_t calls_of_callers = 0;
    uint64_t calls_of_polls = 0;
    uint64_t calls_for_tokens = 0;
    // Refused here: because the turn would come too late; because of a pause; because of the month.
    uint64_t refused_late = 0;
    uint64_t refused_paused = 0;
    uint64_t refused_month = 0;
    // Polls among the latter two.
    uint64_t polls_put_off = 0;
    // Refused by DingTalk for the rate.
    uint64_t refused_upstream = 0;
  };

  // Both must outlive the queue. Without a ledger nothing is remembered.
  CallQueue(EventLoop* loop, CallLedger* ledger, const Options& options);
  // Writes the true number of calls to the ledger.
  ~CallQueue() override;

  Ticket Ask(Terms terms, Answer answer) override;
  void Join(Ticket ticket, Purpose purpose, absl::Time deadline) override;
  void Report(const absl::Status& outcome) override;

  // The factor by which intervals between polls are to be stretched, so that the month's calls last.
  double Slowdown();

  Stats stats();

 private:
  // In the order of turns: callers by deadline, polls as they came.
  using Place = std::pair<absl::Time, Ticket>;
  struct Waiting {
    Terms terms;
    Answer answer;
  };
  using Line = absl::btree_map<Place, Waiting>;

  // Sees to it that the month counted is the one that it is.
  void KeepMonth();
  Line& LineOf(Purpose purpose) { return purpose == Purpose::kPoll ? polls_ : callers_; }
  Place PlaceOf(const Terms& terms, Ticket ticket) const;
  // How many calls would be made before one that stands at `place`.
  int64_t CallsAhead(const Place& place, Purpose purpose) const;
  absl::Status TooLate(absl::Duration wait) const;
  void Refuse(Purpose purpose, const absl::Status& error, Answer answer);

  // Lets through what may go, and sees to it that this happens again when more may.
  void Pump();
  Line::iterator Next();
  // Whether the ledger knows of one call more than were made; sees to it that it will.
  bool MayCount();
  // Counts the call, and has it made.
  void LetThrough(Purpose purpose, Answer answer, absl::Time now);
  // Answers all who wait.
  void RefuseWaiting(const absl::Status& refusal);
  // Writes the next block to the ledger, if there is none on its way.
  void RecordBlock();
  void OnRecorded(absl::CivilMonth month, int64_t calls, const absl::Status& status);
  void LogChanges(absl::Time now);

  EventLoop* const loop_;
  CallLedger* const ledger_;
  const Options options_;
  CallBudget budget_;

  // From when until when it is known to be the budget's month.
  absl::Time month_seen_ = absl::InfiniteFuture();
  absl::Time month_end_ = absl::InfinitePast();
  // The month's calls up to here may be made.
  int64_t recorded_ = 0;
  bool recording_ = false;

  Ticket last_ticket_ = 0;
  Line callers_;
  Line polls_;
  // Tickets of waiting calls, and where they stand.
  absl::flat_hash_map<Ticket, std::pair<Purpose, Place>> places_;
  int callers_in_a_row_ = 0;
  EventLoop::TimerId timer_;

  Stats stats_;
  // What the log was told last.
  absl::CivilMonth told_month_;
  CallBudget::Restraint told_restraint_ = CallBudget::Restraint::kNone;
  double told_slowdown_ = 1;
  int told_percent_ = 0;

  // Tells callbacks whether this still exists.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_QUEUE_H_
