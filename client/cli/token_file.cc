#include "client/cli/token_file.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace taskwatch::client {

absl::StatusOr<Metadata> BearerFromFile(const std::string& path) {
  std::ifstream file(path);
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string token(absl::StripAsciiWhitespace(content));
  if (token.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--token_file names '", path, "', which cannot be read or is empty"));
  }
  if (!std::all_of(token.begin(), token.end(), [](char c) { return absl::ascii_isgraph(c); })) {
    return absl::InvalidArgumentError(absl::StrCat("'", path, "' must hold one token and nothing else"));
  }
  return Metadata{{"authorization", absl::StrCat("Bearer ", token)}};
}

}  // namespace taskwatch::client
