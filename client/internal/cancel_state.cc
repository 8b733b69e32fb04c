#include "client/internal/cancel_state.h"

#include <utility>

namespace taskwatch::client {

void CancelState::Cancel() {
  std::map<uint64_t, std::function<void()>> callbacks;
  {
    const absl::MutexLock lock(&mutex_);
    cancelled_ = true;
    callbacks.swap(callbacks_);
  }
  for (const auto& [id, callback] : callbacks) callback();
}

bool CancelState::cancelled() const {
  const absl::MutexLock lock(&mutex_);
  return cancelled_;
}

CancelRegistration::CancelRegistration(std::shared_ptr<CancelState> state, std::function<void()> callback)
    : state_(std::move(state)) {
  {
    const absl::MutexLock lock(&state_->mutex_);
    if (!state_->cancelled_) {
      id_ = state_->next_id_++;
      state_->callbacks_.emplace(id_, std::move(callback));
      return;
    }
  }
  callback();
}

CancelRegistration::~CancelRegistration() {
  // Destroyed after the lock is released: what it holds may hold the handle.
  std::function<void()> dropped;
  const absl::MutexLock lock(&state_->mutex_);
  const auto entry = state_->callbacks_.find(id_);
  if (entry == state_->callbacks_.end()) return;
  dropped = std::move(entry->second);
  state_->callbacks_.erase(entry);
}

}  // namespace taskwatch::client
