#include "service/server/completion_thread.h"

#include <grpcpp/alarm.h>

#include <chrono>

namespace taskwatch {
namespace {

// Operations on their way to the thread.
class Batch {
 public:
  explicit Batch(std::vector<CompletionThread::Operation> operations) : operations_(std::move(operations)) {}

  void Send(grpc::CompletionQueue* queue) {
    // An alarm that is long due is gRPC's way to put a tag into a queue; one for now would wait for the next
    // millisecond.
    alarm_.Set(queue, std::chrono::system_clock::time_point(), &arrived_);
  }

 private:
  void Run() {
    for (CompletionThread::Operation& operation : operations_) operation();
    delete this;
  }

  grpc::Alarm alarm_;
  std::vector<CompletionThread::Operation> operations_;
  Completion arrived_{[this](bool) { Run(); }};
};

}  // namespace

// An operation that waits for its time.
class CompletionThread::Delayed {
 public:
  Delayed(CompletionThread* thread, Operation operation) : thread_(thread), operation_(std::move(operation)) {}

  void Start(absl::Duration delay) { alarm_.Set(thread_->queue(), absl::ToChronoTime(absl::Now() + delay), &over_); }
  void Cancel() { alarm_.Cancel(); }

 private:
  void Run() {
    const std::unique_ptr<Delayed> self(this);
    thread_->delayed_.erase(this);
    if (!thread_->closing_) operation_();
  }

  CompletionThread* const thread_;
  Operation operation_;
  grpc::Alarm alarm_;
  Completion over_{[this](bool) { Run(); }};
};

CompletionThread::CompletionThread(std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : queue_(std::move(queue)), thread_([queue = queue_.get()] {
        void* tag = nullptr;
        bool ok = false;
        while (queue->Next(&tag, &ok)) static_cast<Completion*>(tag)->Complete(ok);
      }) {}

CompletionThread::~CompletionThread() {
  std::vector<Operation> close;
  close.push_back([this] { Close(); });
  Run(std::move(close));
  thread_.join();
}

void CompletionThread::Run(std::vector<Operation> operations) {
  auto* const batch = new Batch(std::move(operations));
  batch->Send(queue_.get());
}

void CompletionThread::RunAfter(absl::Duration delay, Operation operation) {
  if (closing_) return;
  auto* const delayed = new Delayed(this, std::move(operation));
  delayed_.insert(delayed);
  delayed->Start(delay);
}

void CompletionThread::Close() {
  closing_ = true;
  for (Delayed* const delayed : delayed_) delayed->Cancel();
  ShutdownWhenUnused();
}

void CompletionThread::RemoveCall() {
  --calls_;
  ShutdownWhenUnused();
}

void CompletionThread::ShutdownWhenUnused() {
  if (closing_ && calls_ == 0) queue_->Shutdown();
}

}  // namespace taskwatch
