#include "service/store/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/store/database.h"
#include "tests/matchers/status_matchers.h"
#include "tests/store/temporary_folder.h"

namespace taskwatch {
namespace {

using testing::HasSubstr;
using testing::Not;

class SchemaTest : public testing::Test {
 protected:
  Database Open() {
    absl::StatusOr<Database> database = Database::Open(folder_.File("a.db"), Database::Mode::kReadWriteCreate);
    if (!database.ok()) ADD_FAILURE() << database.status();
    return *std::move(database);
  }

  int64_t Number(Database& database, absl::string_view sql) {
    const absl::StatusOr<int64_t> number = database.QueryNumber(sql);
    EXPECT_THAT(number, IsOk());
    return number.value_or(-1);
  }

  const TemporaryFolder folder_;
  const std::vector<const char*> first_ = {"CREATE TABLE task (id TEXT)"};
  const std::vector<const char*> second_ = {"CREATE TABLE task (id TEXT)", "ALTER TABLE task ADD COLUMN age INTEGER"};
};

TEST_F(SchemaTest, MakesTheCurrentSchemaFromNothing) {
  Database database = Open();
  ASSERT_THAT(Migrate(database, SchemaSteps()), IsOk());
  EXPECT_EQ(Number(database, "PRAGMA user_version"), static_cast<int64_t>(SchemaSteps().size()));
  EXPECT_EQ(Number(database, "SELECT count(*) FROM finished_task"), 0);
  EXPECT_EQ(Number(database, "SELECT count(*) FROM call_ledger"), 0);
}

TEST_F(SchemaTest, BringsAnOlderFileToTheCurrentVersionAndKeepsWhatIsInIt) {
  {
    Database database = Open();
    ASSERT_THAT(Migrate(database, first_), IsOk());
    ASSERT_THAT(database.Execute("INSERT INTO task (id) VALUES ('abcd')"), IsOk());
  }
  Database database = Open();
  ASSERT_THAT(Migrate(database, second_), IsOk());
  EXPECT_EQ(Number(database, "SELECT count(*) FROM task WHERE id = 'abcd' AND age IS NULL"), 1);
  EXPECT_EQ(Number(database, "PRAGMA user_version"), 2);
}

TEST_F(SchemaTest, LeavesAFileAsItWasWhenAStepFails) {
  Database database = Open();
  ASSERT_THAT(Migrate(database, first_), IsOk());
  const std::vector<const char*> broken = {first_[0], "CREATE TABLE more (id TEXT); CREATE TABLE more (id TEXT)"};
  EXPECT_THAT(Migrate(database, broken), Not(IsOk()));
  EXPECT_EQ(Number(database, "PRAGMA user_version"), 1);
  EXPECT_EQ(Number(database, "SELECT count(*) FROM sqlite_schema WHERE name = 'more'"), 0);
  EXPECT_THAT(Migrate(database, second_), IsOk());
}

TEST_F(SchemaTest, RefusesAFileOfANewerVersion) {
  Database database = Open();
  ASSERT_THAT(Migrate(database, second_), IsOk());
  const absl::Status refusal = Migrate(database, first_);
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer version of Taskwatch")));
}

TEST_F(SchemaTest, RefusesAnotherProgramsDatabase) {
  Database database = Open();
  ASSERT_THAT(database.Execute("CREATE TABLE bookmarks (url TEXT)"), IsOk());
  const absl::Status refusal = Migrate(database, SchemaSteps());
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("another program's")));
  EXPECT_EQ(Number(database, "SELECT count(*) FROM sqlite_schema"), 1);
}

}  // namespace
}  // namespace taskwatch
