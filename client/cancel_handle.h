// Cancels calls from any thread.
//
//   WatchOptions options;
//   tasks.WatchAsync("abcd", options, observer, done);
//   ...
//   options.call.cancel.Cancel();  // `done` gets CANCELLED soon after
#ifndef TASKWATCH_CLIENT_CANCEL_HANDLE_H_
#define TASKWATCH_CLIENT_CANCEL_HANDLE_H_

#include <memory>

namespace taskwatch::client {

class CancelState;

// Copies are the same handle. Put into CallOptions, it cancels that call, or all calls that it is given to; calls that
// are made with it later fail at once. Destroying it cancels nothing. Thread-safe.
class CancelHandle {
 public:
  CancelHandle();

  // Returns at once. The calls end soon after, each with CANCELLED unless it was over already.
  void Cancel() const;

  bool cancelled() const;

 private:
  // What a call waits on.
  friend class RetryingCall;

  std::shared_ptr<CancelState> state_;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CANCEL_HANDLE_H_
