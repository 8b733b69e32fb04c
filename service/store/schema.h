// The form of the state file, and how a file in an older form comes to the current one.
#ifndef TASKWATCH_SERVICE_STORE_SCHEMA_H_
#define TASKWATCH_SERVICE_STORE_SCHEMA_H_

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "service/store/database.h"

namespace taskwatch {

// The SQL that leads from each version to the next; the first is for an empty file. Entries are only ever added. A
// version is the number of them that a file has behind it, kept in SQLite's `user_version`.
absl::Span<const char* const> SchemaSteps();

// Brings `database` to the version `steps.size()`, all or nothing. FAILED_PRECONDITION if the file has a newer version,
// or is another program's database; else errors as of Database.
absl::Status Migrate(Database& database, absl::Span<const char* const> steps);

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_STORE_SCHEMA_H_
