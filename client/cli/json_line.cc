#include "client/cli/json_line.h"

#include <google/protobuf/util/json_util.h>

namespace taskwatch::client {

std::string JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  // It fails on times and durations out of protobuf's range only; what was written until then is no JSON.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

}  // namespace taskwatch::client
