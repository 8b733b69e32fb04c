// A file that a test writes and the code under test reads.
#ifndef TASKWATCH_TESTS_FAKES_SECRET_PATH_H_
#define TASKWATCH_TESTS_FAKES_SECRET_PATH_H_

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace taskwatch {

// A path in the test's own folder, named after the running test; there is no file at first.
class SecretPath {
 public:
  SecretPath()
      : path_(testing::TempDir() + testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() + "." +
              testing::UnitTest::GetInstance()->current_test_info()->name()) {
    Remove();
  }
  ~SecretPath() { Remove(); }

  const std::string& path() const { return path_; }

  // Writes the file in place. Its time of change moves by a second each time, so that no two states of it are alike
  // however fast the test runs.
  void Write(absl::string_view content) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
    modified_ += std::chrono::seconds(1);
    std::filesystem::last_write_time(path_, modified_);
  }

  // Writes the file in place, leaving its time of change as it was.
  void WriteUnnoticed(absl::string_view content) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
    std::filesystem::last_write_time(path_, modified_);
  }

  // Puts another file in its place, as careful writers do.
  void Replace(absl::string_view content) {
    const std::string temporary = path_ + ".new";
    std::ofstream(temporary, std::ios::binary) << content;
    std::filesystem::last_write_time(temporary, modified_);
    std::filesystem::rename(temporary, path_);
  }

  void Remove() { std::filesystem::remove_all(path_); }

 private:
  const std::string path_;
  std::filesystem::file_time_type modified_ = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_SECRET_PATH_H_
