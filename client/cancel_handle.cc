#include "taskwatch/client/cancel_handle.h"

#include "client/internal/cancel_state.h"

namespace taskwatch::client {

CancelHandle::CancelHandle() : state_(std::make_shared<CancelState>()) {}

void CancelHandle::Cancel() const { state_->Cancel(); }

bool CancelHandle::cancelled() const { return state_->cancelled(); }

}  // namespace taskwatch::client
