// What a secret may look like: a token, an app secret, an app key.
#ifndef TASKWATCH_SERVICE_SECRETS_SECRET_TEXT_H_
#define TASKWATCH_SERVICE_SECRETS_SECRET_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace taskwatch {

// The longest secret that is accepted, in bytes. DingTalk's have some dozens.
inline constexpr size_t kMaxSecretLength = 4096;

// Whether `text` can stand in an HTTP header: printable ASCII without spaces, not empty, at most kMaxSecretLength.
bool IsSecretText(absl::string_view text);

// `text` without the white space around it, as editors and `echo` leave it. `origin` is where it came from, as a person
// would look for it ("the file /run/secrets/token"). What is no secret is INVALID_ARGUMENT, for the operator: the
// message names the origin and what is wrong, and never the text.
absl::StatusOr<std::string> TrimSecret(absl::string_view text, absl::string_view origin);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_SECRETS_SECRET_TEXT_H_
