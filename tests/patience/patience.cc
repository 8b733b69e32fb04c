#include "tests/patience/patience.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/base/const_init.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

ABSL_CONST_INIT absl::Mutex witnesses_mutex(absl::kConstInit);

std::set<const Witness*>& Witnesses() ABSL_EXCLUSIVE_LOCKS_REQUIRED(witnesses_mutex) {
  static auto* const witnesses = new std::set<const Witness*>();
  return *witnesses;
}

}  // namespace

absl::Duration Patience() {
  constexpr double kOutsideOfBazel = 300;
  const char* const timeout = std::getenv("TEST_TIMEOUT");
  double seconds = kOutsideOfBazel;
  if (timeout == nullptr || !absl::SimpleAtod(timeout, &seconds)) seconds = kOutsideOfBazel;
  return absl::Seconds(seconds) / 2;
}

void GiveUp(absl::string_view what) {
  std::string report = absl::StrCat("waited ", absl::FormatDuration(Patience()), " for ", what, "\n");
  {
    absl::MutexLock lock(&witnesses_mutex);
    for (const Witness* const witness : Witnesses()) absl::StrAppend(&report, witness->tell_(), "\n");
  }
  std::fputs(report.c_str(), stderr);
  std::abort();
}

void Await(absl::Mutex& mutex, const absl::Condition& condition, absl::string_view what) {
  const bool holds = mutex.LockWhenWithTimeout(condition, Patience());
  mutex.Unlock();
  if (!holds) GiveUp(what);
}

void Await(absl::Notification& notification, absl::string_view what) {
  if (!notification.WaitForNotificationWithTimeout(Patience())) GiveUp(what);
}

Witness::Witness(std::function<std::string()> tell) : tell_(std::move(tell)) {
  absl::MutexLock lock(&witnesses_mutex);
  Witnesses().insert(this);
}

Witness::~Witness() {
  absl::MutexLock lock(&witnesses_mutex);
  Witnesses().erase(this);
}

}  // namespace taskwatch
