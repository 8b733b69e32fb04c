// Hands gRPC operations over from the event loop to gRPC.
#ifndef TASKWATCH_SERVICE_RPC_HAND_OVER_H_
#define TASKWATCH_SERVICE_RPC_HAND_OVER_H_

#include <vector>

#include "service/runtime/event_loop.h"
#include "service/server/completion_thread.h"

namespace taskwatch {

// Collects the writes and ends of calls that one turn of the loop brings about, and has the completion thread do them
// together: one wake-up for all, and none of the detours that gRPC makes for operations that other threads begin.
//
// They run in the order in which they were handed over, never before Run returns. Lives on the loop's thread;
// operations that are still held when it is destroyed are destroyed without being run.
class HandOver {
 public:
  using Operation = CompletionThread::Operation;

  // `loop` must outlive it.
  explicit HandOver(EventLoop* loop) : loop_(loop) {}

  // Where operations go; it must outlive all use of this. To be called before the loop runs.
  void Use(CompletionThread* thread) { thread_ = thread; }

  void Run(Operation operation);

 private:
  EventLoop* const loop_;
  CompletionThread* thread_ = nullptr;
  std::vector<Operation> operations_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_HAND_OVER_H_
