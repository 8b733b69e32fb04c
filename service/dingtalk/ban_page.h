// How DingTalk's gateway looks when it has banned the caller's IP address.
#ifndef TASKWATCH_SERVICE_DINGTALK_BAN_PAGE_H_
#define TASKWATCH_SERVICE_DINGTALK_BAN_PAGE_H_

#include "absl/strings/string_view.h"

#include "service/text/json_value.h"

namespace taskwatch {

// Whether `answer` is the gateway's refusal {"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"..."}. Its
// status is no task's: no answer with 1111 is about a task, whatever else is in it.
bool IsPunishment(const JsonValue& answer);

// Whether `body` is a web page, or part of one, instead of JSON.
bool IsWebPage(absl::string_view body);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_BAN_PAGE_H_
