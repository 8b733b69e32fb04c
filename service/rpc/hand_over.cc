#include "service/rpc/hand_over.h"

#include <utility>

namespace taskwatch {

void HandOver::Run(Operation operation) {
  operations_.push_back(std::move(operation));
  if (operations_.size() == 1) {
    loop_->Post([this] { thread_->Run(std::exchange(operations_, {})); });
  }
}

}  // namespace taskwatch
