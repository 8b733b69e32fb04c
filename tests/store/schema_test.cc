#include "service/store/schema.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"

#include "service/store/database.h"
#include "tests/store/temporary_folder.h"

namespace taskwatch {
namespace {

class SchemaTest : public testing::Test {
 protected:
  Database Open() {
    absl::StatusOr<Database> database = Database::Open(folder_.File("a.db"), Database::Mode::kReadWriteCreate);
    if (!database.ok()) ADD_FAILURE() << database.status();
    return *std::move(database);
  }

  int64_t Number(Database& database, absl::string_view sql) {
    const absl::StatusOr<int64_t> number = database.QueryNumber(sql);
    EXPECT_TRUE(number.ok()) << number.status();
    return number.value_or(-1);
  }

  const TemporaryFolder folder_;
  const std::vector<const char*> first_ = {"CREATE TABLE task (id TEXT)"};
  const std::vector<const char*> second_ = {"CREATE TABLE task (id TEXT)", "ALTER TABLE task ADD COLUMN age INTEGER"};
};

TEST_F(SchemaTest, MakesTheCurrentSchemaFromNothing) {
  Database database = Open();
  ASSERT_TRUE(Migrate(database, SchemaSteps()).ok());
  EXPECT_EQ(Number(database, "PRAGMA user_version"), static_cast<int64_t>(SchemaSteps().size()));
  EXPECT_EQ(Number(database, "SELECT count(*) FROM finished_task"), 0);
  EXPECT_EQ(Number(database, "SELECT count(*) FROM call_ledger"), 0);
}

TEST_F(SchemaTest, BringsAnOlderFileToTheCurrentVersionAndKeepsWhatIsInIt) {
  {
    Database database = Open();
    ASSERT_TRUE(Migrate(database, first_).ok());
    ASSERT_TRUE(database.Execute("INSERT INTO task (id) VALUES ('abcd')").ok());
  }
  Database database = Open();
  ASSERT_TRUE(Migrate(database, second_).ok());
  EXPECT_EQ(Number(database, "SELECT count(*) FROM task WHERE id = 'abcd' AND age IS NULL"), 1);
  EXPECT_EQ(Number(database, "PRAGMA user_version"), 2);
}

TEST_F(SchemaTest, LeavesAFileAsItWasWhenAStepFails) {
  Database database = Open();
  ASSERT_TRUE(Migrate(database, first_).ok());
  const std::vector<const char*> broken = {first_[0], "CREATE TABLE more (id TEXT); CREATE TABLE more (id TEXT)"};
  EXPECT_FALSE(Migrate(database, broken).ok());
  EXPECT_EQ(Number(database, "PRAGMA user_version"), 1);
  EXPECT_EQ(Number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'"), 0);
  EXPECT_TRUE(Migrate(database, second_).ok());
}

TEST_F(SchemaTest, RefusesAFileOfANewerVersion) {
  Database database = Open();
  ASSERT_TRUE(Migrate(database, second_).ok());
  const absl::Status refusal = Migrate(database, first_);
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(refusal.message(), "newer version of Taskwatch")) << refusal;
}

TEST_F(SchemaTest, RefusesAnotherProgramsDatabase) {
  Database database = Open();
  ASSERT_TRUE(database.Execute("CREATE TABLE bookmarks (url TEXT)").ok());
  const absl::Status refusal = Migrate(database, SchemaSteps());
  EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(refusal.message(), "another program's")) << refusal;
  EXPECT_EQ(Number(database, "SELECT count(*) FROM sqlite_schema"), 1);
}

}  // namespace
}  // namespace taskwatch
