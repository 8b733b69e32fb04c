#include "service/rpc/task_service.h"

#include <memory>

#include "service/rpc/get_call.h"
#include "service/rpc/wait_call.h"
#include "service/rpc/watch_call.h"
#include "service/server/server_call.h"

namespace taskwatch {

TaskService::TaskService(EventLoop* loop, TaskTracker* tracker, const SnapshotCache* cache, const CallOptions& options)
    : loop_(loop), open_calls_(loop), hand_over_(loop), environment_{this,         loop,        tracker,
                                                                     cache,        options,     &calls_,
                                                                     &open_calls_, &hand_over_, &draining_} {}

void TaskService::Serve(CompletionThread* thread) {
  hand_over_.Use(thread);
  ServerCall::Await(thread, std::make_unique<GetCall>(&environment_));
  ServerCall::Await(thread, std::make_unique<WatchCall>(&environment_));
  ServerCall::Await(thread, std::make_unique<WaitCall>(&environment_));
}

void TaskService::Drain() {
  draining_.store(true, std::memory_order_relaxed);
  loop_->Post([this] { open_calls_.EndAll(DrainingError()); });
}

}  // namespace taskwatch
