// Notices what takes longer than it may, of thousands of things at a time.
#ifndef TASKWATCH_SERVICE_SERVER_TIME_LIMIT_H_
#define TASKWATCH_SERVICE_SERVER_TIME_LIMIT_H_

#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

#include "service/server/completion_thread.h"

namespace taskwatch {

// The time that each of many waits may take:
//
//   TimeLimit stall_limit(&thread, absl::Seconds(30));
//   TimeLimit::Wait unsent{[this] { context_.TryCancel(); }};
//   stall_limit.Begin(unsent);
//   ... unsent.End();
//
// Meant for waits that nearly always end within microseconds: Begin and End put the wait into a list and take it out
// again. There is neither a timer for each wait nor a look at the clock; one timer ticks while any wait lasts. So a
// wait expires up to a quarter of the limit late, and never early.
//
// Lives on the completion thread.
class TimeLimit {
 public:
  // Something that lasts from Begin to End. `expired` is called once if it lasts too long; that ends the wait, too.
  // Destroying it ends it.
  class Wait {
   public:
    explicit Wait(absl::AnyInvocable<void()> expired) : expired_(std::move(expired)) {}
    ~Wait() { End(); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

    // Does nothing if it has not begun.
    void End();

   private:
    friend class TimeLimit;
    absl::AnyInvocable<void()> expired_;
    // In the list while it lasts.
    Wait* previous_ = nullptr;
    Wait* next_ = nullptr;
    // The tick at which it began.
    uint64_t began_ = 0;
  };

  // `thread` must outlive all use of it. What is left when the thread ends never expires.
  TimeLimit(CompletionThread* thread, absl::Duration limit);
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  // `wait` must not have begun, unless it has ended.
  void Begin(Wait& wait);

 private:
  void Tick();

  CompletionThread* const thread_;
  const absl::Duration tick_length_;
  // The waits, in the order in which they began; a ring with `ends_` between the last and the first.
  Wait ends_{nullptr};
  uint64_t ticks_ = 0;
  bool ticking_ = false;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_TIME_LIMIT_H_
