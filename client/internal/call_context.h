// What the client sets on the context of each attempt, the deadline and the headers, and what it reads there.
#ifndef TASKWATCH_CLIENT_INTERNAL_CALL_CONTEXT_H_
#define TASKWATCH_CLIENT_INTERNAL_CALL_CONTEXT_H_

#include <grpcpp/client_context.h>

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "taskwatch/client/options.h"

namespace taskwatch::client {

// A context that ends at `deadline`, with `metadata` and what `credentials` (which may be unset) gives. The latter, and
// an "authorization" in `metadata`, are only sent over TLS, a connection that is known to be to a loopback address, or
// a Unix socket: RefusalIn tells if that was the end of the call. Fails with the error of `credentials`, or with
// INVALID_ARGUMENT for a header that HTTP/2 does not allow: gRPC would end the process. The error never shows a
// header's value.
absl::StatusOr<std::shared_ptr<grpc::ClientContext>> NewContext(absl::Time deadline, const Metadata& metadata,
                                                                const Credentials& credentials);

// FAILED_PRECONDITION if `status` is that of an attempt that did not send its credentials, for people to see what to
// do.
std::optional<absl::Status> RefusalIn(const absl::Status& status);

// Whether the attempt on `context`, which ended with `status`, went over a connection. If not, there was none.
bool HadConnection(const grpc::ClientContext& context, const absl::Status& status);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_CALL_CONTEXT_H_
