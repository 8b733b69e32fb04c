#include "service/rpc/open_calls.h"

namespace taskwatch {
namespace {

constexpr size_t kSlice = 256;

}  // namespace

void OpenCalls::EndAll(const absl::Status& status) {
  ending_ = status;
  untold_ = calls_;
  EndSlice();
}

void OpenCalls::EndSlice() {
  for (size_t told = 0; told < kSlice && !untold_.empty(); ++told) {
    OpenCall* const call = *untold_.begin();
    untold_.erase(untold_.begin());
    call->End(ending_);
  }
  if (!untold_.empty()) {
    loop_->Post([this] { EndSlice(); });
  }
}

}  // namespace taskwatch
