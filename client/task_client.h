// The client of Taskwatch: gets, watches and awaits tasks, through restarts of its servers and broken connections.
//
//   const auto channel = client::NewChannel({"taskwatch:50051"});  // channel.h
//   client::TaskClient tasks(*channel, {});
//   const auto task = tasks.Wait("abcd");  // absl::StatusOr<v1::TaskInfo>, when the task is done
//   if (!task.ok()) std::cerr << client::ErrorReasonOf(task.status());  // rpc_status.h
#ifndef TASKWATCH_CLIENT_TASK_CLIENT_H_
#define TASKWATCH_CLIENT_TASK_CLIENT_H_

#if __cplusplus < 201703L
#error "Taskwatch's client needs C++17: give the target that includes it copts = ['-std=c++17'] (docs/cpp-client.md)"
#endif

#include <grpcpp/channel.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/cancel_handle.h"
#include "taskwatch/client/options.h"
#include "taskwatch/client/watch_observer.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

namespace taskwatch::client {

// Thread-safe. Any number of calls share the channel; no call has a thread of its own.
//
// Results. A task that failed is a result, not an error: look at its state. Errors have the service's code and message;
// ErrorReasonOf and the rest of rpc_status.h read their details. An error without a reason comes from the connection,
// except for four that are made here: INVALID_ARGUMENT for a header that cannot be sent, FAILED_PRECONDITION for
// credentials that would leave this machine unencrypted, DEADLINE_EXCEEDED, and CANCELLED when the call's CancelHandle
// was cancelled or the client destroyed.
//
// Watch and Wait resume by themselves after failures that pass: restarts, rotated streams, draining servers, dead
// connections. ResumeOptions says which do not. Get is one attempt, unless its options say otherwise: its error is for
// the caller to judge.
//
// Each call has two forms. The blocking form returns when the call is over; its observer is called on the calling
// thread. The callback form returns at once; its callbacks come on gRPC's threads, one at a time for each call, never
// before the form has returned, and the last of them, `done`, comes exactly once. Callbacks must not block for long,
// and must not destroy the client (this is checked).
class TaskClient {
 public:
  using Result = absl::StatusOr<v1::TaskInfo>;
  using Done = std::function<void(Result result)>;

  struct Options {
    ResumeOptions resume;
    // Asked before each attempt, so that tokens may be renewed in the middle of a watch. May be called from several
    // threads at a time. Unset: calls have no credentials.
    Credentials credentials;
    // How long a stream may be silent before the connection is taken for dead. Unset: three heartbeats.
    std::optional<absl::Duration> silence_limit;
    // For the jitter. Unset: a different one for each client.
    std::optional<uint64_t> seed;
  };

  // On a channel (channel.h makes good ones), or on a stub, which tests can mock. With a stub that has no async
  // interface, as those made by gMock, only the blocking forms may be used.
  TaskClient(const std::shared_ptr<grpc::ChannelInterface>& channel, Options options);
  TaskClient(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options);

  // Cancels all open calls, also those in which other threads are, and returns when they are over: the last callback
  // has returned, and each blocking form is about to return with CANCELLED. No call may begin after this has. Destroyed
  // by a callback or an observer of its own, where it would wait for itself, the client ends the process with a
  // message.
  ~TaskClient();

  TaskClient(const TaskClient&) = delete;
  TaskClient& operator=(const TaskClient&) = delete;

  // The state of a task now.
  Result Get(const std::string& task_id, const GetOptions& options = {});
  void GetAsync(const std::string& task_id, const GetOptions& options, Done done);

  // Tells `observer` each state of a task until it is done; the result is the final state, after the observer has seen
  // it. No state is told twice in a row, and none after a newer one, also when the next stream leads to another server
  // whose last poll is older: a state that looks older (fewer items processed, or observed earlier) is told only after
  // that server has polled again and confirmed it.
  Result Watch(const std::string& task_id, const WatchOptions& options, WatchObserver observer);
  void WatchAsync(const std::string& task_id, const WatchOptions& options, WatchObserver observer, Done done);

  // Waits until a task is done. The result is its latest state, with `done` false if `timeout` was too short. Cheaper
  // than a watch for callers that do not need the states in between, and works through proxies that do not stream.
  //
  // An observer is told meanwhile of interruptions, and of the state about once a minute: on_task gets each state that
  // differs from the one before, the result aside; on_heartbeat is never called.
  Result Wait(const std::string& task_id, const WaitOptions& options = {}, WatchObserver observer = {});
  void WaitAsync(const std::string& task_id, const WaitOptions& options, Done done);
  void WaitAsync(const std::string& task_id, const WaitOptions& options, WatchObserver observer, Done done);

 private:
  class Impl;

  const std::unique_ptr<Impl> impl_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_TASK_CLIENT_H_
