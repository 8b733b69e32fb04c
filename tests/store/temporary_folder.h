// A folder of the running test's own.
#ifndef TASKWATCH_TESTS_STORE_TEMPORARY_FOLDER_H_
#define TASKWATCH_TESTS_STORE_TEMPORARY_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace taskwatch {

// Empty at first, and gone with everything in it in the end.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(testing::TempDir() + "/folder.XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_STORE_TEMPORARY_FOLDER_H_
