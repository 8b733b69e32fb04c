#include "tests/simulation/callers.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"

#include "service/task/task_error.h"
#include "tests/simulation/journal.h"

namespace taskwatch::simulation {
namespace {

// The final state, if the server has been told it before this moment.
const SimulatedHttpClient::Observation* FinalOf(const SimulatedServer& server, const std::string& task_id) {
  const auto& observations = server.http().ObservationsOf(task_id);
  return observations.empty() || !IsDone(observations.back().info.state) ? nullptr : &observations.back();
}

void CheckState(World* world, const SimulatedServer& server, const std::string& name, const TaskInfo& info) {
  if (server.http().IsLatest(info)) return;
  world->journal->Break(Invariant::kLatestStateOnly, name, " is answered with ", TaskStateName(info.state),
                        ", which is not the latest state");
}

}  // namespace

Getter::Getter(World* world, Options options)
    : world_(world), server_(world->server), options_(std::move(options)), asked_(world->loop->SteadyNow()) {
  world_->journal->Note(options_.name, ": gets ", options_.task_id, ", at most ",
                        absl::FormatDuration(options_.max_staleness), " old, within ",
                        absl::FormatDuration(options_.timeout));
  ++world_->started;
  server_->source().AddGet(options_.task_id);
  // Draining waits for gets, which are bounded by themselves.
  call_id_ = server_->AddCall([](const absl::Status&) {}, [this] { Lose(); });
  get_id_ = server_->tracker().Get(options_.task_id, options_.max_staleness, world_->loop->Now() + options_.timeout,
                                   [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); });
  if (options_.cancel_after.has_value()) {
    cancel_timer_ = world_->loop->RunAfter(*options_.cancel_after, [this] { Cancel(); });
  }
}

Getter::~Getter() { world_->loop->CancelTimer(cancel_timer_); }

void Getter::Cancel() {
  if (ended_) return;
  world_->journal->Note(options_.name, ": cancels");
  End();
  server_->tracker().CancelGet(options_.task_id, get_id_);
}

void Getter::Lose() {
  world_->journal->Note(options_.name, ": has lost its server");
  ended_ = true;
  ++world_->finished;
  world_->loop->CancelTimer(cancel_timer_);
}

void Getter::OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  world_->journal->Note(options_.name, ": is answered ",
                        answer.ok() ? TaskStateName((*answer)->info.state) : ShownStatus(answer.status()));
  if (ended_) {
    world_->journal->Break(Invariant::kNothingAfterTheEnd, options_.name, " is answered after its end");
    return;
  }
  world_->journal->Count(answer.ok() ? "gets answered" : "gets failed");
  CheckAnswer(answer);
  End();
}

void Getter::CheckAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  Journal& journal = *world_->journal;
  const absl::Time now = world_->loop->SteadyNow();
  if (now > asked_ + options_.timeout) {
    journal.Break(Invariant::kNobodyWaitsTooLong, options_.name, " is answered after its deadline");
  }
  if (!answer.ok()) {
    journal.CheckForSecrets(options_.name, answer.status());
    const bool no_reason = ReasonOf(answer.status()) == ErrorReason::kNone;
    const bool late = absl::IsDeadlineExceeded(answer.status()) && now == asked_ + options_.timeout;
    if (no_reason && !late) {
      journal.Break(Invariant::kNoAnswerWithoutAReason, options_.name, " is answered ", ShownStatus(answer.status()));
    }
    return;
  }
  const TaskSnapshot& snapshot = **answer;
  CheckState(world_, *server_, options_.name, snapshot.info);
  if (IsDone(snapshot.info.state)) return;
  if (options_.max_staleness > absl::ZeroDuration()) {
    const absl::Duration age = world_->loop->Now() - snapshot.observe_time;
    if (age > options_.max_staleness || age < absl::ZeroDuration()) {
      journal.Break(Invariant::kGetsAreFreshEnough, options_.name, " gets what is ", absl::FormatDuration(age), " old");
    }
  } else if (server_->http().ObservationsOf(options_.task_id).back().sent < asked_) {
    journal.Break(Invariant::kGetsAreFreshEnough, options_.name, " gets what was asked for before it came");
  }
}

void Getter::End() {
  ended_ = true;
  ++world_->finished;
  server_->source().RemoveGet(options_.task_id);
  server_->RemoveCall(call_id_);
}

Waiter::Waiter(World* world, Options options)
    : world_(world),
      server_(world->server),
      options_(std::move(options)),
      asked_(world->loop->SteadyNow()),
      session_(
          std::make_unique<WaitSession>(world->loop, &server_->tracker(), options_.session,
                                        [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); })) {
  world_->journal->Note(options_.name, ": waits for ", options_.session.task_id, " for ",
                        absl::FormatDuration(options_.session.timeout), " with etag '", options_.session.last_etag,
                        "'");
  ++world_->started;
  server_->source().AddWatcher(options_.session.task_id);
  const absl::Status admission = server_->TakeWatchPlace();
  if (!admission.ok()) {
    OnAnswer(admission);
    return;
  }
  has_place_ = true;
  call_id_ = server_->AddCall(
      [this](const absl::Status& status) {
        end_asked_ = true;
        LoseInterest();
        session_->End(status);
      },
      [this] { Lose(); });
  session_->Start();
  if (options_.cancel_after.has_value()) {
    cancel_timer_ = world_->loop->RunAfter(*options_.cancel_after, [this] { Cancel(); });
  }
}

Waiter::~Waiter() { world_->loop->CancelTimer(cancel_timer_); }

void Waiter::Cancel() {
  if (ended_) return;
  world_->journal->Note(options_.name, ": cancels");
  end_asked_ = true;
  LoseInterest();
  session_->End(absl::CancelledError("the caller has gone"));
}

void Waiter::Lose() {
  world_->journal->Note(options_.session.task_id, ": ", options_.name, " has lost its server");
  interested_ = false;
  session_.reset();
  world_->loop->CancelTimer(cancel_timer_);
  End(absl::UnavailableError("the connection broke"));
}

void Waiter::End(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  ended_ = true;
  ++world_->finished;
  if (options_.on_end) options_.on_end(answer);
}

void Waiter::OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  world_->journal->Note(options_.name, ": is answered ",
                        answer.ok() ? TaskStateName((*answer)->info.state) : ShownStatus(answer.status()));
  if (ended_) {
    world_->journal->Break(Invariant::kNothingAfterTheEnd, options_.name, " is answered after its end");
    return;
  }
  world_->journal->Count(answer.ok() ? "waits answered" : "waits failed");
  LoseInterest();
  server_->RemoveCall(call_id_);
  if (has_place_) server_->ReturnWatchPlace();
  CheckAnswer(answer);
  End(answer);
}

void Waiter::CheckAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
  Journal& journal = *world_->journal;
  const std::string& task_id = options_.session.task_id;
  const absl::Time now = world_->loop->SteadyNow();
  const absl::Time time_is_up = asked_ + std::max(options_.session.timeout, absl::ZeroDuration());
  const SimulatedHttpClient::Observation* const final = FinalOf(*server_, task_id);
  if (now > time_is_up || (final != nullptr && !server_->forgets() && now > std::max(asked_, final->received))) {
    journal.Break(Invariant::kNobodyWaitsTooLong, options_.name, " is answered too late");
  }
  if (answer.ok()) {
    const TaskSnapshot& snapshot = **answer;
    CheckState(world_, *server_, options_.name, snapshot.info);
    const bool changed = !options_.session.last_etag.empty() && snapshot.etag != options_.session.last_etag;
    if (!IsDone(snapshot.info.state) && !changed && now != time_is_up) {
      journal.Break(Invariant::kNoAnswerWithoutAReason, options_.name, " is answered with what it knows");
    }
    return;
  }
  journal.CheckForSecrets(options_.name, answer.status());
  const bool nothing_known = server_->http().ObservationsOf(task_id).empty() || server_->forgets();
  const ErrorDetails details = DetailsOf(answer.status());
  const bool refused = details.persistence == Persistence::kPermanent && server_->source().RefusedLately(task_id);
  const bool for_an_error =
      details.reason != ErrorReason::kNone && (refused || server_->source().RecordOf(task_id).last_fatal >= asked_);
  const bool for_the_time = now == time_is_up && nothing_known;
  const bool for_want_of_room = details.reason == ErrorReason::kTooManyWatchers;
  if (!end_asked_ && !for_an_error && !for_the_time && !for_want_of_room) {
    journal.Break(Invariant::kNoAnswerWithoutAReason, options_.name, " is answered ", ShownStatus(answer.status()));
  }
}

void Waiter::LoseInterest() {
  if (std::exchange(interested_, false)) server_->source().RemoveWatcher(options_.session.task_id);
}

}  // namespace taskwatch::simulation
