// Where the client reads secrets: callers' tokens and TLS keys.
#ifndef TASKWATCH_CLIENT_INTERNAL_SECRET_FILE_H_
#define TASKWATCH_CLIENT_INTERNAL_SECRET_FILE_H_

#include <string>

namespace taskwatch::client {

// The content of the file, without the white space around it; empty if it cannot be read. What calls this validates the
// content, and names the file in its errors, never the content.
std::string ReadSecretFile(const std::string& path);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_INTERNAL_SECRET_FILE_H_
