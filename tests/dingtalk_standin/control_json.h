// The JSON in which the stand-in's control endpoint speaks (dingtalk_server.h).
#ifndef TASKWATCH_TESTS_DINGTALK_STANDIN_CONTROL_JSON_H_
#define TASKWATCH_TESTS_DINGTALK_STANDIN_CONTROL_JSON_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "tests/dingtalk_standin/dingtalk_model.h"
#include "tests/dingtalk_standin/fault.h"
#include "tests/dingtalk_standin/task_plan.h"

namespace taskwatch::standin {

struct NamedTask {
  std::string task_id;
  TaskPlan plan;
};

struct NewToken {
  std::string token;
  absl::Duration lifetime = absl::InfiniteDuration();
};

// One object or an array of them. Keys that do not exist and values of the wrong type are InvalidArgument. Everything
// has a default but what is marked with *.
//
//   fault: {"kind": "hang",                      a name of CannedFault, which the other keys change; or none
//           "api": "task_info",                  access_token, corp_token, copy, task_info, other; unset: any
//           "count": 1,                          -1: until cleared
//           "http_status": 500,                  replaces the answer, as do:
//           "code": "systemError", "message": "", "required_scopes": [""],    (500 unless http_status says else)
//           "body": "", "content_type": "",                                   (200 unless http_status says else)
//           "headers": {"Location": "http://..."},
//           "bytes": 1048576,                    of huge
//           "age_ms": 0,                         of stale
//           "delay_ms": 0}
absl::StatusOr<std::vector<Fault>> FaultsFromJson(absl::string_view json);

//   task: {*"task_id": "t1", "hidden_ms": 0, "waiting_ms": 2000, "running_ms": 10000, "items": 20, "outcome": 1,
//          "failed_items": 0, "shape": "linear"}    linear, accelerating, slowing, none
absl::StatusOr<std::vector<NamedTask>> TasksFromJson(absl::string_view json);

//   token: {*"token": "...", "lifetime_ms": 1000}    unset: for ever
absl::StatusOr<std::vector<NewToken>> TokensFromJson(absl::string_view json);

// {"counts": {"access_token": 0, ...}, "refused": {"authentication": 0, "qps": 0, "month": 0}, "faults": 0,
//  "monthly_calls_used": 0,
//  "calls": [{"api": "task_info", "at_ms": 12, "http_status": 200, "code": "", "task_id": "t1", "path": "/v2.0/..."}]}
// with times since `start`.
std::string CallsToJson(const DingTalkModel& model, absl::Time start);

}  // namespace taskwatch::standin

#endif  // TASKWATCH_TESTS_DINGTALK_STANDIN_CONTROL_JSON_H_
