// The schema of the state file, and the migrations from older versions.
#ifndef TASKWATCH_SERVICE_STORE_SCHEMA_H_
#define TASKWATCH_SERVICE_STORE_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "service/store/database.h"

namespace taskwatch {

// The migrations: SQL that turns each version into the next one; the first creates version 1 from an empty file. They
// are never changed once released, only added to. A file's version is in SQLite's `user_version`.
absl::Span<const char* const> SchemaSteps();

// Migrates `database` to version `steps.size()` in one transaction. FAILED_PRECONDITION if the file has a newer
// version, or is another program's database; otherwise errors as of Database.
absl::Status Migrate(Database& database, absl::Span<const char* const> steps);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_STORE_SCHEMA_H_
