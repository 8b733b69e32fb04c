// The calls that wait for a permit, and the count of those made.
#ifndef TASKWATCH_SERVICE_QUOTA_CALL_QUEUE_H_
#define TASKWATCH_SERVICE_QUOTA_CALL_QUEUE_H_

#include <cstddef>
#include <cstdint>
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
#include "service/runtime/lifetime.h"
#include "service/task/priority.h"

namespace taskwatch {

// Gives out permits at the rate that CallBudget allows. Callers come before polls, but every tenth permit is a poll's
// if one waits; among themselves callers come by their deadlines and polls in order. A call is refused at once if its
// permit would come after its deadline (kUpstreamRateLimited), or if the month stands against it, a pause of
// DingTalk's, or what is remembered of the app (circuit_breaker.h); so are those that wait when that begins. So what
// waits here waits for seconds.
//
// *No call is made that the ledger does not know of.* Calls are written to it in blocks, before they are made: what
// stands there is at most `block` more than what was made (calls given back included), and never less. A crash leaves
// it so, an orderly end writes the true number. The next block is written while the last one is being used, so the disk
// delays a call only if it is slower than that. When the ledger fails, calls go on: they are counted in memory, and the
// ledger is tried again with each block.
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
    // Refused here: because the permit would come too late; because of a pause; because of what is wrong with the app
    // or an outage; because the month is used up.
    uint64_t refused_late = 0;
    uint64_t refused_paused = 0;
    uint64_t refused_failing = 0;
    uint64_t refused_month = 0;
    // Polls that wait for their turn in the month; and those among the latter three as well.
    uint64_t polls_paced = 0;
    uint64_t polls_put_off = 0;
    // Refused by DingTalk for the rate.
    uint64_t refused_upstream = 0;
  };

  // Both must outlive the queue. Without a ledger nothing is remembered.
  CallQueue(EventLoop* loop, CallLedger* ledger, const Options& options);
  // Writes the true number of calls to the ledger.
  ~CallQueue() override;

  RequestId Acquire(CallRequest request, Done done) override;
  void Join(RequestId id, Priority priority, absl::Time deadline) override;
  bool Cancel(RequestId id) override;
  void Report(RequestId id, const absl::Status& outcome) override;

  // Both begin to count the new month first, if one has begun.

  // The factor by which intervals between polls are to be multiplied, so that the month's calls last.
  double Slowdown();
  Stats stats();

 private:
  // What the requests of a line are ordered by: callers' by deadline, polls' as they came.
  using Position = std::pair<absl::Time, RequestId>;
  struct Pending {
    CallRequest request;
    Done done;
  };
  using Line = absl::btree_map<Position, Pending>;

  // To be called first whenever something is asked of this: tells the budget the time, and begins to count the new
  // month if one has begun.
  void KeepTime();
  Line& LineOf(Priority priority) { return priority == Priority::kPoll ? polls_ : callers_; }
  static Position PositionOf(const CallRequest& request, RequestId id);
  // How many calls would be made before one at `position`.
  int64_t CallsAhead(const Position& position, Priority priority) const;
  // The request that is to be answered next; there must be one.
  Line::iterator Next();

  // Answers the requests that are due, and sets the timer for the next one.
  void AnswerDue();
  // Counts the call, and answers OK.
  void Grant(RequestId id, const CallRequest& request, Done done, absl::Time now);
  // `refusal` is the budget's.
  void Refuse(Priority priority, const absl::Status& refusal, Done done);
  // Because the permit is `wait` away, and the deadline is not.
  void RefuseLate(absl::Duration wait, Done done);
  // Refuses those that wait for nothing, since the budget refuses everybody; whether there was one.
  bool RefuseWaiting(absl::Time now);

  // Whether the ledger knows of one call more than were made, or fails: there is nothing to wait for then.
  bool LedgerAllows() const { return budget_.calls() < recorded_ || stats_.ledger_failing; }
  // Writes the next block to the ledger, if no record is on its way.
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

  RequestId last_id_ = 0;
  // Tokens are among the callers.
  Line callers_;
  Line polls_;
  // Where the requests stand that wait.
  absl::flat_hash_map<RequestId, std::pair<Priority, Position>> positions_;
  int callers_in_a_row_ = 0;
  EventLoop::TimerId timer_;

  Stats stats_;
  // What the log was told last.
  absl::CivilMonth told_month_;
  CallBudget::Restraint told_restraint_ = CallBudget::Restraint::kNone;
  double told_slowdown_ = 1;
  int told_percent_ = 0;

  const Lifetime lifetime_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALL_QUEUE_H_
