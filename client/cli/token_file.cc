#include "client/cli/token_file.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "client/internal/secret_file.h"

namespace taskwatch::client {

absl::StatusOr<Metadata> BearerFromFile(const std::string& path) {
  const std::string token = ReadSecretFile(path);
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
