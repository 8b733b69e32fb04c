// Text from outside made fit for a status message or a log line.
#ifndef TASKWATCH_SERVICE_TEXT_PRINTABLE_TEXT_H_
#define TASKWATCH_SERVICE_TEXT_PRINTABLE_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace taskwatch {

// The beginning of `text`, at most `max_bytes` of it, as valid UTF-8 on one line. Chinese stays as it is, for it is
// what DingTalk explains itself in. Control characters, invisible ones, those that turn the direction of writing, and
// what is not UTF-8 become \xNN; quotes and backslashes get a backslash, so that the result can stand in quotes. What
// was cut off shows as "...". The escapes make it at most four times as long.
//
// Where `secret`, if there is one, stands in `text`, the result says "(secret)" and no part of it.
std::string PrintableExcerpt(absl::string_view text, size_t max_bytes, absl::string_view secret = "");

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_TEXT_PRINTABLE_TEXT_H_
