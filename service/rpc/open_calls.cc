#include "service/rpc/open_calls.h"

namespace taskwatch {
namespace {

constexpr size_t kSlice = 256;

}  // namespace

void OpenCalls::EndAll(const absl::Status& status) {
  ending_ = status;
  to_end_ = calls_;
  EndSlice();
}

void OpenCalls::EndSlice() {
  for (size_t ended = 0; ended < kSlice && !to_end_.empty(); ++ended) {
    OpenCall* const call = *to_end_.begin();
    to_end_.erase(to_end_.begin());
    call->End(ending_);
  }
  if (!to_end_.empty()) {
    loop_->Post([this] { EndSlice(); });
  }
}

}  // namespace taskwatch
