// How urgent an upstream call is.
#ifndef TASKWATCH_SERVICE_TASK_PRIORITY_H_
#define TASKWATCH_SERVICE_TASK_PRIORITY_H_

namespace taskwatch {

// By rising urgency.
enum class Priority {
  // For watchers, which have a state already and can hear of the next one a little later.
  kPoll,
  // For a call that waits for the answer.
  kCaller,
  // For an access token, without which no other call can be made. Never the priority of a fetch.
  kToken,
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TASK_PRIORITY_H_
