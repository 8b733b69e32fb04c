// Messages as the service sends them, for the client's tests.
#ifndef TASKWATCH_TESTS_CLIENT_TASKS_H_
#define TASKWATCH_TESTS_CLIENT_TASKS_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "taskwatch/v1/task_service.pb.h"

namespace taskwatch::client {

// A task of ten items, observed at `second`. Equal content has an equal etag.
inline v1::TaskInfo Task(v1::TaskState state, int64_t succeeded, int64_t second) {
  v1::TaskInfo task;
  task.set_task_id("t1");
  task.set_state(state);
  task.set_done(state >= v1::TASK_STATE_SUCCEEDED && state <= v1::TASK_STATE_FAILED);
  task.set_total_count(10);
  task.set_succeeded_count(succeeded);
  task.set_failed_count(0);
  task.set_etag(absl::StrCat(v1::TaskState_Name(state), "-", succeeded));
  task.mutable_observe_time()->set_seconds(second);
  task.mutable_change_time()->set_seconds(second);
  return task;
}

inline v1::TaskInfo Running(int64_t succeeded, int64_t second) {
  return Task(v1::TASK_STATE_RUNNING, succeeded, second);
}

inline v1::TaskInfo Succeeded(int64_t second) { return Task(v1::TASK_STATE_SUCCEEDED, 10, second); }

inline v1::Heartbeat HeartbeatOf(const std::string& etag, int64_t second) {
  v1::Heartbeat heartbeat;
  heartbeat.set_etag(etag);
  heartbeat.mutable_observe_time()->set_seconds(second);
  return heartbeat;
}

inline v1::WatchTaskResponse Message(const v1::TaskInfo& task) {
  v1::WatchTaskResponse message;
  *message.mutable_task() = task;
  return message;
}

inline v1::WatchTaskResponse Message(const v1::Heartbeat& heartbeat) {
  v1::WatchTaskResponse message;
  *message.mutable_heartbeat() = heartbeat;
  return message;
}

}  // namespace taskwatch::client

#endif  // TASKWATCH_TESTS_CLIENT_TASKS_H_
