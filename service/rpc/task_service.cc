#include "service/rpc/task_service.h"

#include <memory>

#include "service/rpc/get_call.h"
#include "service/rpc/too_many.h"
#include "service/rpc/wait_call.h"
#include "service/rpc/watch_call.h"

namespace taskwatch {

TaskService::TaskService(EventLoop* loop, TaskTracker* tracker, const SnapshotCache* cache, const CallOptions& options)
    : loop_(loop),
      watch_limit_(options.max_watchers, TooManyWatchers(options.max_watchers)),
      open_calls_(loop),
      hand_over_(loop),
      environment_{this, loop, tracker, cache, options, &calls_, &watch_limit_, &open_calls_, &hand_over_, &draining_} {
}

void TaskService::Serve(const Serving* serving) {
  hand_over_.Use(serving->thread);
  ServerCall::Await(serving, std::make_unique<GetCall>(&environment_));
  ServerCall::Await(serving, std::make_unique<WatchCall>(&environment_));
  ServerCall::Await(serving, std::make_unique<WaitCall>(&environment_));
}

void TaskService::Drain() {
  draining_.store(true, std::memory_order_relaxed);
  loop_->Post([this] { open_calls_.EndAll(DrainingError()); });
}

}  // namespace taskwatch
