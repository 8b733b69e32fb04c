// A file that a test writes and the code under test reads.
#ifndef TASKWATCH_TESTS_FAKES_SECRET_PATH_H_
#define TASKWATCH_TESTS_FAKES_SECRET_PATH_H_

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace taskwatch {

// A path in the test's own folder, named after the running test; there is no file at first.
class SecretPath {
 public:
  SecretPath() : path_(testing::TempDir() + RunningTest()) { Remove(); }
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
  // The running test's name; those of parameterized tests have slashes.
  static std::string RunningTest() {
    const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
    return absl::StrReplaceAll(absl::StrCat(test.test_suite_name(), ".", test.name()), {{"/", "_"}});
  }

  const std::string path_;
  std::filesystem::file_time_type modified_ = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_FAKES_SECRET_PATH_H_
