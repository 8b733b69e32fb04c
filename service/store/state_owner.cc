#include "service/store/state_owner.h"

#include <spdlog/spdlog.h>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace taskwatch {
namespace {

struct Field {
  absl::string_view name;
  std::string StateOwner::*value;
};

constexpr Field kFields[] = {
    {"base_url", &StateOwner::base_url},
    {"app_key", &StateOwner::app_key},
    {"corp_id", &StateOwner::corp_id},
};

absl::StatusOr<StateOwner> OwnerOf(Database& database) {
  absl::StatusOr<Database::Statement> find = database.Prepare("SELECT value FROM owner WHERE name = ?");
  if (!find.ok()) return find.status();
  StateOwner owner;
  for (const Field& field : kFields) {
    find->Reset();
    find->Bind(1, field.name);
    const absl::StatusOr<bool> row = find->Step();
    if (!row.ok()) return row.status();
    if (*row) owner.*field.value = find->Text(0);
  }
  find->Reset();
  return owner;
}

bool MayBeTheSame(const StateOwner& one, const StateOwner& other) {
  for (const Field& field : kFields) {
    const std::string& left = one.*field.value;
    const std::string& right = other.*field.value;
    if (!left.empty() && !right.empty() && !absl::EqualsIgnoreCase(left, right)) return false;
  }
  return true;
}

// "https://api.dingtalk.io, app dingdemoapp".
std::string Shown(const StateOwner& owner) {
  std::string shown = owner.base_url;
  if (!owner.app_key.empty()) absl::StrAppend(&shown, ", app ", owner.app_key);
  if (!owner.corp_id.empty()) absl::StrAppend(&shown, ", organisation ", owner.corp_id);
  return shown;
}

absl::Status Write(Database& database, const StateOwner& owner) {
  absl::StatusOr<Database::Statement> set =
      database.Prepare("INSERT INTO owner (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?2");
  if (!set.ok()) return set.status();
  for (const Field& field : kFields) {
    const std::string& value = owner.*field.value;
    if (value.empty()) continue;
    set->Reset();
    set->Bind(1, field.name);
    set->Bind(2, value);
    if (absl::Status written = set->Run(); !written.ok()) return written;
  }
  return absl::OkStatus();
}

absl::Status Claim(Database& database, const StateOwner& owner, bool adopt) {
  const absl::StatusOr<StateOwner> present = OwnerOf(database);
  if (!present.ok()) return present.status();
  if (!MayBeTheSame(*present, owner)) {
    if (!adopt) {
      return absl::FailedPreconditionError(
          absl::StrCat("belongs to the service of ", Shown(*present), ", and this one is of ", Shown(owner),
                       "; name another file, or add --adopt_state_file to keep the month's count of calls in it and "
                       "drop the tasks"));
    }
    absl::Status dropped = database.Execute("DELETE FROM finished_task; DELETE FROM owner");
    if (!dropped.ok()) return dropped;
    spdlog::warn("state file: taken over from the service of {}; its tasks are dropped, its count of calls goes on",
                 Shown(*present));
  }
  return Write(database, owner);
}

}  // namespace

absl::Status ClaimFor(Database& database, const StateOwner& owner, bool adopt) {
  if (absl::Status begun = database.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  absl::Status claimed = Claim(database, owner, adopt);
  if (claimed.ok()) claimed = database.Execute("COMMIT");
  if (!claimed.ok()) database.Execute("ROLLBACK").IgnoreError();
  return claimed;
}

}  // namespace taskwatch
