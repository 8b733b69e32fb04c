// No wait of a test is endless: it ends before the test runner ends the test, and says what was waited for.
//
//   Await(mutex_, absl::Condition(&answered), "the answer to GetTaskInfo of 'abcd'");
#ifndef TASKWATCH_TESTS_PATIENCE_PATIENCE_H_
#define TASKWATCH_TESTS_PATIENCE_PATIENCE_H_

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace taskwatch {

// The longest that a test waits for anything: half of what Bazel gives it (TEST_TIMEOUT), so that the other half is
// left to tell of it. It is no expectation of any machine.
absl::Duration Patience();

// Ends the test program, after having printed that `what` was waited for and what every Witness knows.
[[noreturn]] void GiveUp(absl::string_view what);

// Waits until `condition` holds of what `mutex` guards, or gives up.
void Await(absl::Mutex& mutex, const absl::Condition& condition, absl::string_view what) ABSL_LOCKS_EXCLUDED(mutex);
void Await(absl::Notification& notification, absl::string_view what);

// Knows something that helps to understand why a wait did not end, for example what a server has printed. Asked from
// any thread, while it lives.
class Witness {
 public:
  explicit Witness(std::function<std::string()> tell);
  ~Witness();
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

 private:
  friend void GiveUp(absl::string_view what);
  const std::function<std::string()> tell_;
};

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_PATIENCE_PATIENCE_H_
