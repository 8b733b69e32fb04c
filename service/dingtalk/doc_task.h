// A document task as DingTalk tells it: its status numbers, and the body of its answer.
#ifndef TASKWATCH_SERVICE_DINGTALK_DOC_TASK_H_
#define TASKWATCH_SERVICE_DINGTALK_DOC_TASK_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/task/task_info.h"

namespace taskwatch {

// The state that a status of DingTalk's stands for (table of the API page: -1 waiting .. 4 failed).
TaskState TaskStateFromUpstream(int32_t upstream_status);

// What `body`, the body of a 200 answer, says about the task `task_id`:
// {"taskId":"abcd","status":2,"totalCount":1,"succCount":1,"failCount":0}, as on the API's page.
//
// Takes what DingTalk's SDKs take: numbers as strings, a numeric taskId, fields that are null or missing; of duplicate
// keys the last. Only a status is indispensable, an int32; one that this version does not know becomes kUnrecognized.
// Counts are taken as they are, also where they contradict the status, as in DingTalk's own example.
//
// Anything else is an error of kUpstreamMalformedResponse, kTransient: another task's id, a status or a count that
// cannot be one, a body that is not such an object, the refusal of a banned address (ban_page.h). Pure; never throws.
// Of the body, a message repeats at most a wrong number or word, made printable and cut short, and never another task's
// id. `secret` is what the request carried, an access token: where the body repeats it, the message does not.
absl::StatusOr<TaskInfo> ParseTaskInfo(absl::string_view task_id, absl::string_view body,
                                       absl::string_view secret = "");

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_DINGTALK_DOC_TASK_H_
