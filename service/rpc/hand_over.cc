#include "service/rpc/hand_over.h"

#include <grpcpp/alarm.h>

#include <chrono>
#include <utility>

namespace taskwatch {
namespace {

// What a thread of gRPC's does next; an alarm that is due at once is gRPC's way to have it do something.
struct Batch {
  grpc::Alarm alarm;
  std::vector<HandOver::Operation> operations;
};

}  // namespace

void HandOver::Run(Operation operation) {
  operations_.push_back(std::move(operation));
  if (operations_.size() == 1) {
    loop_->Post([this] { Flush(); });
  }
}

void HandOver::Flush() {
  if (operations_.size() == 1) {
    Operation operation = std::move(operations_.front());
    operations_.clear();
    return operation();
  }
  auto* const batch = new Batch;
  batch->operations.swap(operations_);
  batch->alarm.Set(std::chrono::system_clock::time_point(), [batch](bool) {
    for (Operation& operation : batch->operations) operation();
    delete batch;
  });
}

}  // namespace taskwatch
