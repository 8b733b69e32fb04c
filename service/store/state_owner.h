// Whose a state file is: tasks and calls of one DingTalk app are of no use to another one's service.
#ifndef TASKWATCH_SERVICE_STORE_STATE_OWNER_H_
#define TASKWATCH_SERVICE_STORE_STATE_OWNER_H_

#include <string>

#include "absl/status/status.h"

#include "service/store/database.h"

namespace taskwatch {

// Names the DingTalk, the app and the organisation that a state file is about. No secrets, and no names of files: a
// token file may move.
struct StateOwner {
  // "https://api.dingtalk.io"; upper and lower case are the same.
  std::string base_url;
  // Empty if the service is not told it: with a token file, say.
  std::string app_key;
  std::string corp_id;
};

// Makes `owner` the owner of `database`, in one transaction. Its own file it may keep, and a file without an owner, as
// older versions left it, with all that is in there. An app key or organisation that only one of the two names tells
// nothing; it is remembered.
//
// Another owner's file is left as it is: FAILED_PRECONDITION, with what to do. With `adopt` it is taken over: the calls
// of the months stay, since they may have been the same organisation's, and the tasks are deleted, since the same id
// may be another task here.
absl::Status ClaimFor(Database& database, const StateOwner& owner, bool adopt);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_STORE_STATE_OWNER_H_
