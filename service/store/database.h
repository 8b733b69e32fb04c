// SQLite, as much of it as the store needs, with errors as values.
#ifndef TASKWATCH_SERVICE_STORE_DATABASE_H_
#define TASKWATCH_SERVICE_STORE_DATABASE_H_

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace taskwatch {

// One connection to a database file. Errors name what SQLite says, never the file; their codes are:
// - DATA_LOSS: the file is damaged, or is no database;
// - RESOURCE_EXHAUSTED: there is no room;
// - PERMISSION_DENIED: it cannot be opened or written;
// - UNAVAILABLE: another connection has locked it;
// - INTERNAL: anything else.
//
// One thread at a time.
class Database {
 public:
  enum class Mode { kReadOnly, kReadWriteCreate };

  // A prepared statement. Parameters are numbered from 1, columns from 0.
  class Statement {
   public:
    // Makes it ready to be run (again), with nothing bound.
    void Reset();

    void Bind(int parameter, absl::string_view text);
    void Bind(int parameter, int64_t number);
    void Bind(int parameter, std::optional<int64_t> number);

    // Runs to the next row; false if there is none. Call Reset after the last step, or a transaction stays open.
    absl::StatusOr<bool> Step();
    // Runs it to its end.
    absl::Status Run();

    int64_t Number(int column) const { return sqlite3_column_int64(statement_.get(), column); }
    std::optional<int64_t> OptionalNumber(int column) const;
    std::string Text(int column) const;

   private:
    friend class Database;
    struct Finalizer {
      void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  };

  static absl::StatusOr<Database> Open(const std::string& path, Mode mode);

  // Runs `sql`, one statement or several, and ignores the rows.
  absl::Status Execute(const std::string& sql);

  // The statement must not outlive the database.
  absl::StatusOr<Statement> Prepare(absl::string_view sql);

  // The first column of the only row of `sql`.
  absl::StatusOr<int64_t> QueryNumber(absl::string_view sql);
  absl::StatusOr<std::string> QueryText(absl::string_view sql);

  // Rows that the last statement changed.
  int64_t Changes() const { return sqlite3_changes(connection_.get()); }

  // Whether the file could only be opened for reading. SQLite reports no error then.
  bool IsReadOnly() const { return sqlite3_db_readonly(connection_.get(), "main") == 1; }

 private:
  struct Closer {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };
  explicit Database(sqlite3* connection) : connection_(connection) {}

  std::unique_ptr<sqlite3, Closer> connection_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_STORE_DATABASE_H_
