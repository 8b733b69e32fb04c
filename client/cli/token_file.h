// The caller's token, from a file.
#ifndef TASKWATCH_CLIENT_CLI_TOKEN_FILE_H_
#define TASKWATCH_CLIENT_CLI_TOKEN_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "taskwatch/client/options.h"

namespace taskwatch::client {

// The header `authorization: Bearer TOKEN`. The token is the file's content without the white space around it. Errors
// name the file, never what is in it.
absl::StatusOr<Metadata> BearerFromFile(const std::string& path);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_TOKEN_FILE_H_
