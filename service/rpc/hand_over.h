// Hands gRPC operations over from the event loop to gRPC.
#ifndef TASKWATCH_SERVICE_RPC_HAND_OVER_H_
#define TASKWATCH_SERVICE_RPC_HAND_OVER_H_

#include <vector>

#include "absl/functional/any_invocable.h"

#include "service/runtime/event_loop.h"

namespace taskwatch {

// Collects the writes and ends of calls that one turn of the loop brings about. A single one is done at the end of the
// turn, on the loop's thread, where it is soonest; many, as a change with a large audience brings, are done by a thread
// of gRPC's own: it serialises and sends them while the loop goes on, and without the detours that gRPC makes for other
// threads.
//
// Operations of one turn run in the order in which they were handed over; those of different turns may overlap, so a
// call must not have two under way. They never run before Run returns. Lives on the loop's thread; operations that are
// still held when it is destroyed are destroyed without being run.
class HandOver {
 public:
  using Operation = absl::AnyInvocable<void()>;

  // `loop` must outlive it.
  explicit HandOver(EventLoop* loop) : loop_(loop) {}

  void Run(Operation operation);

 private:
  void Flush();

  EventLoop* const loop_;
  std::vector<Operation> operations_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_HAND_OVER_H_
