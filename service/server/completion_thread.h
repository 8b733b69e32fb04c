// The one thread on which gRPC tells what has come to its end, and on which all of our gRPC operations are begun.
#ifndef TASKWATCH_SERVICE_SERVER_COMPLETION_THREAD_H_
#define TASKWATCH_SERVICE_SERVER_COMPLETION_THREAD_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace taskwatch {

// What is to happen when a gRPC operation is over: the operation's tag. Must live until then, which it may end itself.
class Completion {
 public:
  // `ok` as gRPC's CompletionQueue::Next has it.
  using Reaction = absl::AnyInvocable<void(bool ok)>;

  explicit Completion(Reaction reaction) : reaction_(std::move(reaction)) {}
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  void React(bool ok) { reaction_(ok); }

 private:
  Reaction reaction_;
};

// Drives a completion queue. All tags in it must be `Completion`s.
//
// One thread, on purpose: whoever waits for gRPC's news also reads the sockets, so a second one (or gRPC's callback
// API, which brings threads of its own) makes each call wake threads only to hand it on.
class CompletionThread {
 public:
  using Operation = absl::AnyInvocable<void()>;

  explicit CompletionThread(std::unique_ptr<grpc::ServerCompletionQueue> queue);

  // Shuts the queue down, and returns when all that is under way has come to its end. The server must have shut down
  // before, and Run must not be called any more.
  ~CompletionThread();

  CompletionThread(const CompletionThread&) = delete;
  CompletionThread& operator=(const CompletionThread&) = delete;

  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }

  // Runs the operations in their order, on this thread. Those of different calls of Run do not overlap. Any thread.
  void Run(std::vector<Operation> operations);

 private:
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_COMPLETION_THREAD_H_
