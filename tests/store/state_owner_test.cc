#include "service/store/state_owner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "service/store/database.h"
#include "service/store/schema.h"
#include "tests/matchers/status_matchers.h"
#include "tests/store/temporary_folder.h"

namespace taskwatch {
namespace {

using testing::HasSubstr;

const StateOwner kOurs = {"https://api.dingtalk.io", "dingours", "corp-1"};

class StateOwnerTest : public testing::Test {
 protected:
  StateOwnerTest() {
    EXPECT_THAT(Migrate(database_, SchemaSteps()), IsOk());
    EXPECT_THAT(database_.Execute("INSERT INTO call_ledger VALUES ('2027-01', 1234);"
                                  "INSERT INTO finished_task (task_id, state, observe_time, change_time, "
                                  "first_observe_time) VALUES ('abcd', 'SUCCEEDED', 1, 1, 1)"),
                IsOk());
  }

  Database Open() {
    absl::StatusOr<Database> database = Database::Open(folder_.File("a.db"), Database::Mode::kReadWriteCreate);
    if (!database.ok()) ADD_FAILURE() << database.status();
    return *std::move(database);
  }

  int64_t Number(absl::string_view sql) { return database_.QueryNumber(sql).value_or(-1); }
  int64_t Tasks() { return Number("SELECT count(*) FROM finished_task"); }
  int64_t Calls() { return Number("SELECT calls FROM call_ledger WHERE month = '2027-01'"); }
  std::string BaseUrl() { return database_.QueryText("SELECT value FROM owner WHERE name = 'base_url'").value_or(""); }

  const TemporaryFolder folder_;
  Database database_ = Open();
};

TEST_F(StateOwnerTest, TakesAFileThatNobodyOwnsWithAllThatIsInIt) {
  EXPECT_THAT(ClaimFor(database_, kOurs, false), IsOk());
  EXPECT_EQ(BaseUrl(), kOurs.base_url);
  EXPECT_EQ(Tasks(), 1);
  EXPECT_EQ(Calls(), 1234);
}

TEST_F(StateOwnerTest, KeepsItsOwnFile) {
  EXPECT_THAT(ClaimFor(database_, kOurs, false), IsOk());
  EXPECT_THAT(ClaimFor(database_, {"HTTPS://API.DingTalk.io", "dingours", "corp-1"}, false), IsOk());
  EXPECT_EQ(Tasks(), 1);
}

TEST_F(StateOwnerTest, RefusesAnothersFileAndLeavesItAsItWas) {
  const StateOwner others[] = {
      {"http://127.0.0.1:18080", "dingours", "corp-1"},
      {"https://api.dingtalk.io", "dingtheirs", "corp-1"},
      {"https://api.dingtalk.io", "dingours", "corp-2"},
  };
  ASSERT_THAT(ClaimFor(database_, kOurs, false), IsOk());
  for (const StateOwner& other : others) {
    const absl::Status refusal = ClaimFor(database_, other, false);
    EXPECT_EQ(refusal.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refusal.message()),
                testing::AllOf(HasSubstr("https://api.dingtalk.io, app dingours, organisation corp-1"),
                               HasSubstr(other.base_url), HasSubstr("--adopt_state_file")));
    EXPECT_EQ(Tasks(), 1);
    EXPECT_EQ(BaseUrl(), kOurs.base_url);
  }
  EXPECT_THAT(ClaimFor(database_, kOurs, false), IsOk()) << "it is still ours";
}

TEST_F(StateOwnerTest, LearnsTheAppAndTheOrganisationOnceTheyAreGiven) {
  ASSERT_THAT(ClaimFor(database_, {kOurs.base_url, "", ""}, false), IsOk());
  EXPECT_THAT(ClaimFor(database_, kOurs, false), IsOk()) << "a token file told neither";
  EXPECT_THAT(ClaimFor(database_, {kOurs.base_url, "", ""}, false), IsOk()) << "and may be used again";
  EXPECT_EQ(ClaimFor(database_, {kOurs.base_url, "dingtheirs", ""}, false).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Tasks(), 1);
}

TEST_F(StateOwnerTest, AdoptsAnothersCountWithoutItsTasks) {
  ASSERT_THAT(ClaimFor(database_, {"http://127.0.0.1:18080", "dingdemo", "corp-9"}, false), IsOk());
  EXPECT_THAT(ClaimFor(database_, {kOurs.base_url, kOurs.app_key, ""}, true), IsOk());
  EXPECT_EQ(Tasks(), 0);
  EXPECT_EQ(Calls(), 1234);
  EXPECT_THAT(ClaimFor(database_, kOurs, false), IsOk()) << "nothing is left of the other owner's organisation";
}

TEST_F(StateOwnerTest, DropsNothingOfItsOwnWhenItMayAdopt) {
  ASSERT_THAT(ClaimFor(database_, kOurs, false), IsOk());
  EXPECT_THAT(ClaimFor(database_, kOurs, true), IsOk());
  EXPECT_EQ(Tasks(), 1);
}

}  // namespace
}  // namespace taskwatch
