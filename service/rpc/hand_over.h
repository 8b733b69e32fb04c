// Hands gRPC operations (writes, finishes) from the event loop to the completion thread, in batches.
#ifndef TASKWATCH_SERVICE_RPC_HAND_OVER_H_
#define TASKWATCH_SERVICE_RPC_HAND_OVER_H_

#include <vector>

#include "service/runtime/event_loop.h"
#include "service/server/completion_thread.h"

namespace taskwatch {

// When a poll brings a change to 1,000 watchers, the loop makes 1,000 writes in one turn. Here they are collected, and
// at the end of the turn the completion thread is woken once and runs them all. (Begun on the loop's thread, each would
// take gRPC's detour over its executor.)
//
// Operations run in the order of the calls to Run, and never before Run returns. Lives on the loop's thread. Operations
// that are still held when it is destroyed are destroyed without running.
class HandOver {
 public:
  using Operation = CompletionThread::Operation;

  // `loop` must outlive it.
  explicit HandOver(EventLoop* loop) : loop_(loop) {}

  // Sets the thread that runs the operations; it must outlive all use of this. To be called before the loop runs.
  void Use(CompletionThread* thread) { thread_ = thread; }

  void Run(Operation operation);

 private:
  EventLoop* const loop_;
  CompletionThread* thread_ = nullptr;
  std::vector<Operation> operations_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_HAND_OVER_H_
