// Each test runs twice: with the blocking form and with the one that calls back.
#include "client/internal/retrying_call.h"

#include <gmock/gmock.h>
#include <grpcpp/alarm.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "taskwatch/client/cancel_handle.h"
#include "taskwatch/client/options.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/internal/call_control.h"
#include "tests/matchers/status_matchers.h"
#include "tests/patience/patience.h"

namespace taskwatch::client {
namespace {

using testing::HasSubstr;

// Each attempt ends with the next status of the script. OK ends the call; anything else is followed by a pause.
struct Script {
  std::deque<absl::Status> statuses;
  absl::Duration pause = absl::ZeroDuration();
  int attempts = 0;
  // Called when an attempt has ended.
  std::function<void()> on_attempt_end = [] {};
};

class ScriptedRpc final : public Rpc {
 public:
  explicit ScriptedRpc(Script* script) : script_(*script) {}

  absl::Duration PrepareAttempt(absl::Time /*now*/) override { return absl::InfiniteDuration(); }
  absl::Status Attempt(const std::shared_ptr<CallControl>& /*control*/, grpc::ClientContext* /*context*/) override {
    return Next();
  }
  void AttemptAsync(const std::shared_ptr<CallControl>& /*control*/, grpc::ClientContext* /*context*/,
                    AttemptDone done) override {
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(absl::ToChronoTime(absl::UnixEpoch()), [this, done = std::move(done)](bool) mutable {
      // Taken out of the alarm, which this owns: `done` holds the call, and so this.
      const AttemptDone end = std::move(done);
      end(Next());
    });
  }
  std::optional<absl::Duration> OnAttemptEnd(const absl::Status& status, absl::Time /*now*/) override {
    script_.on_attempt_end();
    if (!status.ok()) return script_.pause;
    result_ = v1::TaskInfo();
    return std::nullopt;
  }
  absl::StatusOr<v1::TaskInfo> result() const override { return result_; }
  absl::Status DeadlineExceeded() const override { return absl::DeadlineExceededError("too late"); }

 private:
  absl::Status Next() {
    ++script_.attempts;
    const absl::Status status = script_.statuses.front();
    script_.statuses.pop_front();
    return status;
  }

  Script& script_;
  absl::StatusOr<v1::TaskInfo> result_ = absl::UnknownError("not over");
  std::unique_ptr<grpc::Alarm> alarm_;
};

class RetryingCallTest : public testing::TestWithParam<bool> {
 protected:
  RetryingCall::Result Run() {
    const auto call =
        std::make_shared<RetryingCall>(options_, client_, &credentials_, std::make_unique<ScriptedRpc>(&script_));
    const bool blocking = GetParam();
    if (blocking) return call->Run();
    RetryingCall::Result result = absl::UnknownError("not over");
    absl::Notification over;
    call->Start([&](RetryingCall::Result answer) {
      result = std::move(answer);
      over.Notify();
    });
    Await(over, "the end of the call");
    return result;
  }

  CallOptions options_;
  CancelHandle client_;
  Credentials credentials_;
  Script script_;
};

INSTANTIATE_TEST_SUITE_P(BothForms, RetryingCallTest, testing::Bool(),
                         [](const auto& form) { return form.param ? "Blocking" : "Callback"; });

TEST_P(RetryingCallTest, AttemptsUntilItIsOver) {
  script_.statuses = {absl::UnavailableError(""), absl::UnavailableError(""), absl::OkStatus()};
  EXPECT_THAT(Run(), IsOk());
  EXPECT_EQ(script_.attempts, 3);
}

TEST_P(RetryingCallTest, AttemptsNothingAfterItsDeadline) {
  options_.deadline = absl::Now() - absl::Seconds(1);
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kDeadlineExceeded, "too late"));
  EXPECT_EQ(script_.attempts, 0);
}

TEST_P(RetryingCallTest, EndsItsPauseAtItsDeadline) {
  options_.deadline = absl::Now() + absl::Milliseconds(100);
  script_.statuses = {absl::UnavailableError("")};
  script_.pause = absl::InfiniteDuration();
  // The machine may be so slow that the deadline passes before the attempt.
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kDeadlineExceeded, "too late"));
}

TEST_P(RetryingCallTest, IsCancelledByTheCallersHandle) {
  script_.statuses = {absl::UnavailableError("")};
  script_.pause = absl::InfiniteDuration();
  script_.on_attempt_end = [this] { options_.cancel.Cancel(); };
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_P(RetryingCallTest, IsCancelledByItsClient) {
  script_.statuses = {absl::UnavailableError("")};
  script_.pause = absl::InfiniteDuration();
  script_.on_attempt_end = [this] { client_.Cancel(); };
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kCancelled));
}

TEST_P(RetryingCallTest, AttemptsNothingWhenItWasCancelledBefore) {
  options_.cancel.Cancel();
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(script_.attempts, 0);
}

TEST_P(RetryingCallTest, AsksForCredentialsBeforeEachAttempt) {
  int asked = 0;
  credentials_ = [&asked]() -> absl::StatusOr<Metadata> {
    if (++asked == 3) return absl::NotFoundError("no token file");
    return Metadata{{"authorization", "Bearer x"}};
  };
  script_.statuses = {absl::UnavailableError(""), absl::UnavailableError("")};
  EXPECT_THAT(Run(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(script_.attempts, 2);
}

TEST_P(RetryingCallTest, RefusesAHeaderThatGrpcWouldEndTheProcessFor) {
  options_.metadata = {{"authorization", "secret\n"}};
  const RetryingCall::Result result = Run();
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'authorization'")));
  EXPECT_THAT(std::string(result.status().message()), testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace taskwatch::client
