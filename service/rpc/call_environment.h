// What every call of TaskService needs of the rest.
#ifndef TASKWATCH_SERVICE_RPC_CALL_ENVIRONMENT_H_
#define TASKWATCH_SERVICE_RPC_CALL_ENVIRONMENT_H_

#include "service/rpc/call_count.h"
#include "service/rpc/hand_over.h"
#include "service/rpc/open_calls.h"
#include "service/runtime/event_loop.h"
#include "service/tracker/task_tracker.h"

namespace taskwatch {

// All of it outlives the calls.
struct CallEnvironment {
  EventLoop* loop;
  TaskTracker* tracker;
  CallCount* count;
  OpenCalls* open_calls;
  HandOver* hand_over;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RPC_CALL_ENVIRONMENT_H_
