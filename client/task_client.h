// The client of Taskwatch: gets, watches and awaits tasks, and does not lose the thread when servers come and go.
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
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "taskwatch/client/internal/cancel_handle.h"
#include "taskwatch/client/internal/resume_policy.h"
#include "taskwatch/client/internal/watch_run.h"
#include "taskwatch/v1/task_service.grpc.pb.h"

namespace taskwatch::client {

// Request headers: names in lower case, values in printable ASCII.
using Metadata = std::vector<std::pair<std::string, std::string>>;

struct CallOptions {
  // The call ends with DEADLINE_EXCEEDED if it is not over by then.
  absl::Time deadline = absl::InfiniteFuture();
  CancelHandle cancel;
  // Sent beside what TaskClient::Options::credentials gives.
  Metadata metadata;
};

struct GetOptions {
  // How old the answer may be. Unset: the service's default.
  std::optional<absl::Duration> max_staleness;
  CallOptions call;
};

struct WatchOptions {
  // Of the state that is known already and not to be told again, or empty.
  std::string last_etag;
  // How often DingTalk should be asked; a hint. Unset: the service decides.
  std::optional<absl::Duration> poll_interval;
  // How long the service may be silent, from 5 s to 60 s. After three times that the connection is taken for dead.
  absl::Duration heartbeat_interval = absl::Seconds(20);
  CallOptions call;
};

struct WaitOptions {
  // How long to wait for the end of the task.
  absl::Duration timeout = absl::InfiniteDuration();
  CallOptions call;
};

// Thread-safe. Any number of calls share its channel; none of them has a thread of its own.
//
// Results. A task that failed is a result, not an error: look at its state. Errors have the service's code and message;
// ErrorReasonOf and the rest of rpc_status.h read their details. An error without a reason comes from the connection.
// INVALID_ARGUMENT without one is a header that cannot be sent, and CANCELLED a call that was cancelled here.
//
// Watch and Wait go on through whatever passes: restarts, rotated streams, draining servers, dead connections (see
// ResumePolicy for what does not). Get is one call: its error is the caller's to judge.
//
// Each call has two forms. The blocking ones return when it is over. The callback ones return at once; callbacks come
// from gRPC's threads, one at a time for each call, and the last of them, `done`, comes exactly once. They must not
// block for long, nor destroy the client.
class TaskClient {
 public:
  using Result = absl::StatusOr<v1::TaskInfo>;
  using Done = std::function<void(Result result)>;

  struct Options {
    ResumePolicy::Options resume;
    // Asked before each attempt for headers that authenticate the caller, so that tokens may be renewed in the middle
    // of a watch. Its error ends the call. May be called from several threads at a time.
    std::function<absl::StatusOr<Metadata>()> credentials;
    // How long a stream may be silent before it is taken for dead. Unset: three heartbeats.
    std::optional<absl::Duration> silence_limit;
    // Of the jitter. Unset: another one for each client.
    std::optional<uint64_t> seed;
  };

  // On a channel (channel.h makes good ones), or on a stub, which tests can mock. With a stub that has no async
  // interface, as those made by gMock, only the blocking forms may be used.
  TaskClient(const std::shared_ptr<grpc::ChannelInterface>& channel, Options options);
  TaskClient(std::unique_ptr<v1::TaskService::StubInterface> stub, Options options);

  // Cancels all calls that are open and returns when the last callback has.
  ~TaskClient();

  // The state of a task now.
  Result Get(const std::string& task_id, const GetOptions& options = {});
  void GetAsync(const std::string& task_id, const GetOptions& options, Done done);

  // Tells `observer` every state of a task until it is done, and results in the final state. Never tells a state twice
  // in a row or an older one after a newer one (WatchProgress says how that is known). The final state is told to the
  // observer before it is the result.
  Result Watch(const std::string& task_id, const WatchOptions& options, WatchObserver observer);
  void WatchAsync(const std::string& task_id, const WatchOptions& options, WatchObserver observer, Done done);

  // Waits until a task is done; results in the latest state, with `done` false if `timeout` was too short. For callers
  // to whom the states on the way do not matter: cheaper than a watch, and through proxies that do not stream.
  Result Wait(const std::string& task_id, const WaitOptions& options = {});
  void WaitAsync(const std::string& task_id, const WaitOptions& options, Done done);

 private:
  class AsyncCall;
  class AsyncGet;
  class AsyncWatch;
  class AsyncWait;

  // A context with the deadline and the headers of an attempt.
  absl::StatusOr<std::shared_ptr<grpc::ClientContext>> NewContext(const CallOptions& call, absl::Time deadline) const;
  ResumePolicy NewPolicy();
  WatchRun NewWatchRun(const std::string& task_id, const WatchOptions& options, WatchObserver observer);

  const std::unique_ptr<v1::TaskService::StubInterface> stub_;
  const Options options_;
  // Cancels what is open when the client goes.
  const CancelHandle closing_;
  absl::Mutex mutex_;
  uint64_t next_seed_ ABSL_GUARDED_BY(mutex_);
  int open_calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_TASK_CLIENT_H_
