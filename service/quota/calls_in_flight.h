// The calls to DingTalk that are under way.
#ifndef TASKWATCH_SERVICE_QUOTA_CALLS_IN_FLIGHT_H_
#define TASKWATCH_SERVICE_QUOTA_CALLS_IN_FLIGHT_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "service/task/priority.h"

namespace taskwatch {

// Remembers what each call was counted as, and holds calls back from a DingTalk that hangs: with 18 calls a second and
// a timeout of 5 s, 90 calls would be out before the first of them fails. So once nothing has been answered for 2 s, no
// more than 20 may be out at a time. An answer lifts that: a DingTalk that takes 3 s for each answer is called at the
// full rate again as soon as the first one comes.
//
// A call that is never removed is forgotten after 5 minutes, so that it holds nothing back for ever.
//
// Pure logic: time is an argument, and must not run backwards without ShiftBack.
class CallsInFlight {
 public:
  struct Call {
    Priority priority;
    // Stands for the task that it is about.
    uint64_t task;
    // In which it is counted.
    absl::CivilMonth month;
    absl::Time start;
  };

  // A call is made. `id` must not be that of another call under way.
  void Add(uint64_t id, const Call& call);

  // A call is over, answered or not; nothing if it is not known.
  std::optional<Call> Remove(uint64_t id);

  // DingTalk has answered a call, with whatever.
  void NoteAnswer(absl::Time now) { silent_since_ = now; }

  // Whether another call may be made.
  bool HaveRoomAt(absl::Time now) const;

  size_t size() const { return calls_.size(); }

  // The clock was set back by `back`; so is all that is remembered.
  void ShiftBack(absl::Duration back);

 private:
  absl::flat_hash_map<uint64_t, Call> calls_;
  // The last answer, or later the first call since there was none under way.
  absl::Time silent_since_ = absl::InfinitePast();
  absl::Time last_sweep_ = absl::InfinitePast();
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_QUOTA_CALLS_IN_FLIGHT_H_
