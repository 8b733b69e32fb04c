// What callers of TaskClient may choose, for one call and for all calls of a client.
#ifndef TASKWATCH_CLIENT_OPTIONS_H_
#define TASKWATCH_CLIENT_OPTIONS_H_

#if __cplusplus < 201703L
#error "Taskwatch's client needs C++17: give the target that includes it copts = ['-std=c++17'] (docs/cpp-client.md)"
#endif

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/cancel_handle.h"

namespace taskwatch::client {

// Request headers: names in lower case, values in printable ASCII. A call with a header that is neither fails with
// INVALID_ARGUMENT.
using Metadata = std::vector<std::pair<std::string, std::string>>;

// Gives the headers that authenticate the caller, like {"authorization", "Bearer ..."}. Its error ends the call.
//
// They leave this machine with TLS only: over a channel without it that NewChannel has not made for a loopback address
// or a Unix socket, the call ends with FAILED_PRECONDITION, and no header is sent.
using Credentials = std::function<absl::StatusOr<Metadata>()>;

// For each call.
struct CallOptions {
  // The call ends with DEADLINE_EXCEEDED if it is not over by then.
  absl::Time deadline = absl::InfiniteFuture();
  CancelHandle cancel;
  // Sent beside what TaskClient::Options::credentials gives. "authorization" among them is treated as it is.
  Metadata metadata;
};

struct GetOptions {
  // How old the answer may be. Unset: the service's default.
  std::optional<absl::Duration> max_staleness;
  // Whether to ask again, as ResumeOptions say, when the connection fails or the server drains. Otherwise a get is one
  // attempt. All other errors end it in any case.
  bool resume = false;
  CallOptions call;
};

struct WatchOptions {
  // The etag of the state that the caller knows already: that state is not told again. Empty if it knows none.
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

// When Watch and Wait (and a Get that resumes) try again after a failure.
//
// UNAVAILABLE always passes. RESOURCE_EXHAUSTED with a reason passes if the service says when, and that is soon enough.
// INTERNAL, UNKNOWN and the like pass if they have no reason (see ErrorReasonOf): then a connection or a proxy broke.
// All others are permanent, NOT_FOUND for example.
struct ResumeOptions {
  // The pause after the n-th failure in a row is drawn evenly from zero to `base_delay` * 2^(n-1), `max_delay` at most
  // (full jitter), so that the clients of a server that restarts do not come back all at once. With the defaults: up to
  // 0.5 s, 1 s, 2 s, ... 20 s. To it is added what the service asks for by RetryInfo.
  absl::Duration base_delay = absl::Milliseconds(500);
  absl::Duration max_delay = absl::Seconds(20);
  // A service that asks to wait longer than this (until the month's quota is renewed, for example) is not waited for.
  // Does not apply to UNAVAILABLE.
  absl::Duration max_retry_delay = absl::Minutes(10);
  // How long the service may be out of reach before a first connection to it stands. After that it is tried again
  // without end, even if it has not answered yet: it restarts, then.
  absl::Duration first_contact_limit = absl::InfiniteDuration();
  // So many failures without a reason in a row, with no answer in between, are tolerated; the next is permanent.
  int max_unexplained_failures = 5;
};

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_OPTIONS_H_
