// Text from a server made fit for a terminal.
#ifndef TASKWATCH_CLIENT_CLI_PRINTABLE_H_
#define TASKWATCH_CLIENT_CLI_PRINTABLE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace taskwatch::client {

// `text` as one line of UTF-8: what DingTalk explains in Chinese stays as it is. What would move the cursor, turn the
// direction of writing or not be seen (controls, overrides and isolates, joiners and spaces of no width), and bytes
// that are not UTF-8, become \xNN.
std::string Printable(absl::string_view text);

// The columns that `line` takes on a terminal: two for each character of Chinese and the like, none for those that
// combine with the one before and for the escape sequences of colours.
size_t VisibleWidth(absl::string_view line);

// The beginning of `text`, without escape sequences, that takes at most `columns`: characters are not cut in half.
absl::string_view FirstColumns(absl::string_view text, size_t columns);

}  // namespace taskwatch::client

#endif  // TASKWATCH_CLIENT_CLI_PRINTABLE_H_
