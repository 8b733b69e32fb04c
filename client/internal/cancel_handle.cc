#include "client/internal/cancel_handle.h"

namespace taskwatch::client {

void CancelHandle::Cancel() const {
  std::map<uint64_t, std::function<void()>> callbacks;
  {
    const absl::MutexLock lock(&state_->mutex);
    state_->cancelled = true;
    callbacks.swap(state_->callbacks);
  }
  for (const auto& [id, callback] : callbacks) callback();
}

bool CancelHandle::cancelled() const {
  const absl::MutexLock lock(&state_->mutex);
  return state_->cancelled;
}

CancelHandle::Registration CancelHandle::OnCancel(std::function<void()> fn) const {
  {
    const absl::MutexLock lock(&state_->mutex);
    if (!state_->cancelled) {
      const uint64_t id = state_->next_id++;
      state_->callbacks.emplace(id, std::move(fn));
      return Registration(state_, id);
    }
  }
  fn();
  return Registration();
}

CancelHandle::Registration::~Registration() {
  if (state_ == nullptr) return;
  std::function<void()> dropped;
  const absl::MutexLock lock(&state_->mutex);
  const auto entry = state_->callbacks.find(id_);
  if (entry == state_->callbacks.end()) return;
  // Destroyed after the lock is released: what it holds may hold this handle.
  dropped = std::move(entry->second);
  state_->callbacks.erase(entry);
}

}  // namespace taskwatch::client
