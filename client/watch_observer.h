// What a watch calls back.
#ifndef TASKWATCH_CLIENT_WATCH_OBSERVER_H_
#define TASKWATCH_CLIENT_WATCH_OBSERVER_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

namespace taskwatch::client {

// The events of one watch, in order, one call at a time. Each function may be unset. None may block for long: the next
// message waits for it.
struct WatchObserver {
  // The task is in this state. Each state comes once, and none after one that is done.
  std::function<void(const v1::TaskInfo& task)> on_task;
  // Nothing has changed. The heartbeat says when DingTalk last confirmed that, and with what error it answers if it
  // does not.
  std::function<void(const v1::Heartbeat& heartbeat)> on_heartbeat;
  // The stream broke for this reason, and is opened again after `delay`. The watch goes on.
  std::function<void(const absl::Status& why, absl::Duration delay)> on_interruption;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_WATCH_OBSERVER_H_
