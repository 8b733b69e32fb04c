// Messages as JSON, one object a line.
#ifndef TASKWATCH_CLIENT_CLI_JSON_LINE_H_
#define TASKWATCH_CLIENT_CLI_JSON_LINE_H_

#include <google/protobuf/message.h>

#include <string>

namespace taskwatch::client {

// With proto3's JSON names. Fields that say whether they are set are left out if they are not; all others are there, so
// that `.done` is never missing. Without the line's end.
std::string JsonLine(const google::protobuf::Message& message);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_JSON_LINE_H_
