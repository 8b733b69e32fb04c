// Errors in one line for people: what is wrong, and what to do.
#ifndef TASKWATCH_CLIENT_CLI_EXPLAIN_H_
#define TASKWATCH_CLIENT_CLI_EXPLAIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace taskwatch::client {

// Names the likely cause where the connection failed (nothing listens there, TLS on one side only, not a gRPC server),
// and the reason and the upstream's request id where the service did. What a server says is made
// printable (printable.h). One line.
std::string Explain(const absl::Status& status, absl::string_view server);

// Whether `status` is that of a call for which there has been no connection at all, as opposed to a lost one.
bool NeverConnected(const absl::Status& status);

// Whether a stream ended as all do from time to time, which is nothing to tell of.
bool IsRoutine(const absl::Status& status);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_EXPLAIN_H_
