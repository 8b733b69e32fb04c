// The loop of every call of the client: attempt, pause, attempt again, until the call is over.
#ifndef TASKWATCH_CLIENT_INTERNAL_RETRYING_CALL_H_
#define TASKWATCH_CLIENT_INTERNAL_RETRYING_CALL_H_

#include <grpcpp/client_context.h>

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/cancel_handle.h"
#include "taskwatch/client/options.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/internal/call_control.h"
#include "client/internal/cancel_state.h"

namespace taskwatch::client {

// What a RetryingCall attempts: one method of the service, with the decisions that belong to it. GetRpc, WatchRpc and
// WaitRpc implement it. Used by one call, one attempt at a time.
class Rpc {
 public:
  using AttemptDone = std::function<void(const absl::Status& status)>;

  virtual ~Rpc() = default;

  // Makes the request of the attempt that begins at `now`. Returns how long the attempt may take; infinite if only the
  // caller's deadline counts.
  virtual absl::Duration PrepareAttempt(absl::Time now) = 0;

  // The attempt itself: blocking, or with a callback that comes exactly once, never before AttemptAsync returns.
  // `context` is that of `control`'s attempt, and outlives the attempt.
  virtual absl::Status Attempt(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context) = 0;
  virtual void AttemptAsync(const std::shared_ptr<CallControl>& control, grpc::ClientContext* context,
                            AttemptDone done) = 0;

  // The attempt that is about to end went over a connection to the service.
  virtual void OnContact() {}

  // The attempt has ended. Returns the pause before the next one, or nothing if the call is over: then `result` says
  // with what.
  virtual std::optional<absl::Duration> OnAttemptEnd(const absl::Status& status, absl::Time now) = 0;
  virtual absl::StatusOr<v1::TaskInfo> result() const = 0;

  // The error of a call whose deadline passes between two attempts.
  virtual absl::Status DeadlineExceeded() const = 0;
};

// Blocks (Run) or calls back (Start); all else is the same. To be used once, by one of the two.
class RetryingCall : public std::enable_shared_from_this<RetryingCall> {
 public:
  using Result = absl::StatusOr<v1::TaskInfo>;
  using Done = std::function<void(Result result)>;

  // Ends with CANCELLED when the handle in `options` or `client`'s is cancelled. `credentials` is asked before each
  // attempt; it must outlive the call.
  RetryingCall(CallOptions options, const CancelHandle& client, const Credentials* credentials,
               std::unique_ptr<Rpc> rpc);

  // Returns when the call is over.
  Result Run();

  // Returns at once. `done` comes on one of gRPC's threads when the call is over; the call keeps itself until then, and
  // uses nothing of its client after that. Held by shared_ptr.
  void Start(Done done);

 private:
  // Registers the call with both handles.
  struct Cancelling {
    Cancelling(const std::shared_ptr<CallControl>& control, const CancelHandle& caller, const CancelHandle& client);
    CancelRegistration caller;
    CancelRegistration client;
  };

  // False if there is to be no attempt, because the call is over; then `result_` is set.
  bool BeginAttempt();
  // When to make the next attempt, or nothing if the call is over; then `result_` is set.
  std::optional<absl::Time> EndAttempt(absl::Status status);

  void AttemptAsync();
  void Close();

  const CallOptions options_;
  const Credentials* const credentials_;
  const std::unique_ptr<Rpc> rpc_;
  const std::shared_ptr<CallControl> control_ = std::make_shared<CallControl>();
  std::unique_ptr<Cancelling> cancelling_;
  std::shared_ptr<grpc::ClientContext> context_;
  bool had_contact_ = false;
  Result result_ = absl::UnknownError("the call is not over");
  Done done_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_RETRYING_CALL_H_
