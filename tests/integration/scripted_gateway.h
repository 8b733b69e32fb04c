// A gateway that answers about tasks as the test says, when the test says.
#ifndef TASKWATCH_TESTS_INTEGRATION_SCRIPTED_GATEWAY_H_
#define TASKWATCH_TESTS_INTEGRATION_SCRIPTED_GATEWAY_H_

#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

#include "tests/fakes/raw_server.h"

namespace taskwatch {

// Answers each call with a running task of a trillion items, of which as many have succeeded as calls have been made:
// no two answers are alike. After Finish, with the same task's success. Holds answers back while it is told to.
class ScriptedGateway {
 public:
  ScriptedGateway();
  // Lets go of what it holds back.
  ~ScriptedGateway() { Release(); }

  std::string url() const { return server_.url(); }

  // From the next answer on.
  void Hold();
  void Release();
  void Finish();
  // The task ends with the call of that number, counted from one.
  void FinishWithCall(int64_t number);

  // Calls that have come in, answered or not.
  int64_t calls() const;
  void AwaitCalls(int64_t count);

 private:
  void Answer(RawServer::Connection& connection, const std::string& head);

  mutable absl::Mutex mutex_;
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t last_running_ ABSL_GUARDED_BY(mutex_) = INT64_MAX;
  // Last, so that its threads end before what they use.
  RawServer server_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_INTEGRATION_SCRIPTED_GATEWAY_H_
