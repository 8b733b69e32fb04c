// The gets of one task that wait for a fetch.
#ifndef TASKWATCH_SERVICE_TRACKER_WAITING_GETS_H_
#define TASKWATCH_SERVICE_TRACKER_WAITING_GETS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/time/time.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// Knows which fetch answers which get, how often each has been tried and until when it waits. Fetches are numbered from
// 1; a get with `max_staleness` zero that comes during fetch 3 can be answered by fetch 4, any other by fetch 3.
//
// Lives on the event loop's thread.
class WaitingGets {
 public:
  using GetId = uint64_t;

  // How gets may go on after a failed fetch.
  struct Retry {
    // When the next fetch is expected to be answered. Of no use to gets whose deadline is not later.
    absl::Time next_answer;
    // Failed fetches after which a get is given up; if unset, the fetch that has just failed does not count as one.
    std::optional<int> max_attempts;
  };

  // `loop` must outlive it.
  explicit WaitingGets(EventLoop* loop) : loop_(loop) {}
  // Cancels the timers.
  ~WaitingGets();
  WaitingGets(const WaitingGets&) = delete;
  WaitingGets& operator=(const WaitingGets&) = delete;

  // Adds a get that `first_fetch` or a later fetch can answer. At `deadline`, unless it is infinite, calls
  // `on_deadline`, which has to remove the get; never before returning.
  void Add(GetId id, uint64_t first_fetch, absl::Time deadline, EventLoop::Callback on_deadline);

  // Removes a get; returns whether it was there.
  bool Remove(GetId id);

  // Removes the gets that the answer of `fetch` answers, and returns them in the order in which they came.
  std::vector<GetId> RemoveAnswered(uint64_t fetch);

  // Removes all gets and returns them. For a final state, which answers whatever is asked.
  std::vector<GetId> RemoveAll();

  // Removes the gets that fail with `fetch` and returns them: those that it would have answered, less those that go on
  // to another attempt as `retry` allows. Without `retry` none goes on.
  std::vector<GetId> RemoveFailed(uint64_t fetch, const std::optional<Retry>& retry);

  bool empty() const { return gets_.empty(); }

  // When the last of them stops waiting; the infinite past if there is none.
  absl::Time LatestDeadline() const;

 private:
  struct Get {
    uint64_t first_fetch;
    absl::Time deadline;
    EventLoop::TimerId deadline_timer;
    int attempts = 0;
  };

  // Removes the gets that match and returns them.
  template <typename Predicate>
  std::vector<GetId> RemoveIf(Predicate matches);

  EventLoop* const loop_;
  absl::btree_map<GetId, Get> gets_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TRACKER_WAITING_GETS_H_
