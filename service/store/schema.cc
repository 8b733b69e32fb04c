#include "service/store/schema.h"

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

// "TWch": tells us, and the program `file`, that the database is Taskwatch's.
constexpr int64_t kApplicationId = 0x54576368;

constexpr std::array<const char*, 2> kSteps = {
    // Months are 'YYYY-MM' of UTC+8. Times are nanoseconds since 1970, UTC. `sequence` is the order of arrival: the
    // oldest tasks are deleted first. States are stored by name, so that people can read the file.
    R"sql(
      CREATE TABLE call_ledger (
        month TEXT PRIMARY KEY,
        calls INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE finished_task (
        sequence INTEGER PRIMARY KEY,
        task_id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        upstream_status INTEGER,
        total_count INTEGER,
        succeeded_count INTEGER,
        failed_count INTEGER,
        observe_time INTEGER NOT NULL,
        change_time INTEGER NOT NULL,
        first_observe_time INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE property (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
    )sql",
    // Whose the file is: base_url, app_key, corp_id, as far as they are known (state_owner.h).
    R"sql(
      CREATE TABLE owner (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    )sql",
};

absl::Status NotOurs() {
  return absl::FailedPreconditionError("is another program's database; name another file, or one that does not exist");
}

}  // namespace

absl::Span<const char* const> SchemaSteps() { return kSteps; }

absl::Status Migrate(Database& database, absl::Span<const char* const> steps) {
  const absl::StatusOr<int64_t> tables = database.QueryNumber("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  const absl::StatusOr<int64_t> application = database.QueryNumber("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> version = database.QueryNumber("PRAGMA user_version");
  if (!version.ok()) return version.status();

  const bool is_empty = *tables == 0 && *application == 0 && *version == 0;
  if (!is_empty && *application != kApplicationId) return NotOurs();
  const auto newest = static_cast<int64_t>(steps.size());
  if (*version > newest) {
    return absl::FailedPreconditionError(absl::StrCat("was written by a newer version of Taskwatch (its schema is ",
                                                      *version, ", this one knows ", newest,
                                                      "); run that version, or name another file"));
  }
  if (*version == newest) return absl::OkStatus();

  std::string sql = "BEGIN IMMEDIATE;";
  for (int64_t step = *version; step < newest; ++step) absl::StrAppend(&sql, steps[step], ";");
  absl::StrAppend(&sql, "PRAGMA application_id = ", kApplicationId, ";PRAGMA user_version = ", newest, ";COMMIT;");
  absl::Status result = database.Execute(sql);
  if (!result.ok()) database.Execute("ROLLBACK").IgnoreError();
  return result;
}

}  // namespace taskwatch
