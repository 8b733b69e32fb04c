#include "client/internal/secret_file.h"

#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"

namespace taskwatch::client {

std::string ReadSecretFile(const std::string& path) {
  std::ifstream file(path);
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return file.bad() ? "" : std::string(absl::StripAsciiWhitespace(content));
}

}  // namespace taskwatch::client
