// The thread that drives gRPC's completion queue, and on which all operations of calls are begun.
#ifndef TASKWATCH_SERVICE_SERVER_COMPLETION_THREAD_H_
#define TASKWATCH_SERVICE_SERVER_COMPLETION_THREAD_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

namespace taskwatch {

// The tag of a gRPC operation, with the callback for its completion:
//
//   Completion written_{[this](bool ok) { OnWritten(ok); }};
//   writer_.Write(message, &written_);
//
// Must live until the callback has begun; the callback may destroy it.
class Completion {
 public:
  // `ok` as gRPC's CompletionQueue::Next has it.
  using Callback = absl::AnyInvocable<void(bool ok)>;

  explicit Completion(Callback callback) : callback_(std::move(callback)) {}
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  void Complete(bool ok) { callback_(ok); }

 private:
  Callback callback_;
};

// Takes completions from a queue and runs their callbacks, one after the other. All tags in the queue must be
// `Completion`s.
//
// There is one such thread, on purpose. The thread that waits in the queue also reads the sockets. With a second one
// (or with gRPC's callback API, which brings threads of its own) a request is often read by one thread and then handed
// to another, which costs a wake-up per call.
class CompletionThread {
 public:
  using Operation = absl::AnyInvocable<void()>;

  explicit CompletionThread(std::unique_ptr<grpc::ServerCompletionQueue> queue);

  // Waits until all calls on it are over, then shuts the queue down. The server must have shut down before, so that
  // each call has been cancelled at least, and Run must not be called any more. What RunAfter still holds is dropped.
  ~CompletionThread();

  CompletionThread(const CompletionThread&) = delete;
  CompletionThread& operator=(const CompletionThread&) = delete;

  grpc::ServerCompletionQueue* queue() const { return queue_.get(); }

  // Runs the operations in their order, on this thread. Those of different calls of Run do not overlap. Any thread.
  void Run(std::vector<Operation> operations);

  // Runs `operation` on this thread when `delay` has passed, or drops it if the thread ends before. This thread only.
  void RunAfter(absl::Duration delay, Operation operation);

  // A call (ServerCall) uses the queue from AddCall to RemoveCall: gRPC ends the process when an operation is begun on
  // a queue that has been shut down. RemoveCall is for this thread only.
  void AddCall() { ++calls_; }
  void RemoveCall();

 private:
  class Delayed;

  void Close();
  void ShutdownWhenUnused();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  // Atomic because the first calls are added before the thread has any to run.
  std::atomic<int> calls_{0};
  // This thread only.
  bool closing_ = false;
  absl::flat_hash_set<Delayed*> delayed_;
  std::thread thread_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SERVER_COMPLETION_THREAD_H_
