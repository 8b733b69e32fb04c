// Errors in one line for people: what is wrong, and what to do.
#ifndef TASKWATCH_CLIENT_CLI_EXPLAIN_H_
#define TASKWATCH_CLIENT_CLI_EXPLAIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace taskwatch::client {

// Names the likely cause where the connection failed (nothing listens there, TLS on one side only, not a gRPC server),
// and the reason and the upstream's request id where the service did. One line of printable ASCII.
std::string Explain(const absl::Status& status, absl::string_view server);

// Printable ASCII as it is, everything else as '?': what a server says must not move the cursor or fill two columns.
std::string Printable(absl::string_view text);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_EXPLAIN_H_
