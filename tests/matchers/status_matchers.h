// Matchers for absl::Status and absl::StatusOr, so that a failed assertion shows the status and not just `false`.
//
//   EXPECT_THAT(store.Open(), IsOk());
//   EXPECT_THAT(ParseCount("7"), IsOkAndHolds(7));
//   EXPECT_THAT(ParseCount("x"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'x'")));
//   EXPECT_THAT(source.Fetch("nope"), HasReason(ErrorReason::kTaskNotFound));
#ifndef TASKWATCH_TESTS_MATCHERS_STATUS_MATCHERS_H_
#define TASKWATCH_TESTS_MATCHERS_STATUS_MATCHERS_H_

#include <gmock/gmock.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "service/task/task_error.h"

namespace taskwatch {
namespace matchers_internal {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// A matcher of both, by a matcher of the value. Polymorphic, since the type of the value is known only where it is
// used.
template <typename ValueMatcher>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(ValueMatcher value) : value_(std::move(value)) {}

  template <typename Result>
  operator ::testing::Matcher<Result>() const {  // NOLINT(google-explicit-constructor): how gMock converts matchers
    return ::testing::Matcher<Result>(new Impl<Result>(value_));
  }

 private:
  template <typename Result>
  class Impl : public ::testing::MatcherInterface<Result> {
   public:
    using Value = typename std::decay_t<Result>::value_type;

    explicit Impl(const ValueMatcher& value) : value_(::testing::SafeMatcherCast<const Value&>(value)) {}

    void DescribeTo(std::ostream* os) const override {
      *os << "is OK and has a value that ";
      value_.DescribeTo(os);
    }
    bool MatchAndExplain(Result result, ::testing::MatchResultListener* listener) const override {
      if (!result.ok()) {
        *listener << "which is " << result.status().ToString();
        return false;
      }
      return value_.MatchAndExplain(*result, listener);
    }

   private:
    const ::testing::Matcher<const Value&> value_;
  };

  const ValueMatcher value_;
};

}  // namespace matchers_internal

// An OK status, or a value.
MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  const absl::Status& status = matchers_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.ok();
}

// A value that matches `value`.
template <typename ValueMatcher>
matchers_internal::IsOkAndHoldsMatcher<std::decay_t<ValueMatcher>> IsOkAndHolds(ValueMatcher&& value) {
  return matchers_internal::IsOkAndHoldsMatcher<std::decay_t<ValueMatcher>>(std::forward<ValueMatcher>(value));
}

// A status with this code.
MATCHER_P(StatusIs, code,
          std::string(negation ? "has another code than " : "has the code ") + absl::StatusCodeToString(code)) {
  const absl::Status& status = matchers_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code;
}

// A status with this code and a message that matches.
MATCHER_P2(StatusIs, code, message,
           std::string("has the code ") + absl::StatusCodeToString(code) + " and a message that matches") {
  const absl::Status& status = matchers_internal::StatusOf(arg);
  *result_listener << "which is " << status.ToString();
  return status.code() == code &&
         ::testing::ExplainMatchResult(message, std::string(status.message()), result_listener);
}

// A failure with this reason, and so with the code that belongs to it.
MATCHER_P(HasReason, reason,
          std::string(negation ? "has another reason than " : "has the reason ") +
              std::string(ErrorReasonName(reason))) {
  const absl::Status& status = matchers_internal::StatusOf(arg);
  *result_listener << "which has the reason '" << ErrorReasonName(ReasonOf(status)) << "' and is " << status.ToString();
  return ReasonOf(status) == reason && status.code() == CodeOf(reason);
}

}  // namespace taskwatch

#endif  // TASKWATCH_TESTS_MATCHERS_STATUS_MATCHERS_H_
