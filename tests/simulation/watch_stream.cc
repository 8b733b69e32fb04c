#include "tests/simulation/watch_stream.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "service/rpc/conversion.h"
#include "service/task/task_error.h"

namespace taskwatch::simulation {
namespace {

// WatchSession may end a stream by this share of its maximum age early.
constexpr double kMinAgeShare = 0.9;
// How many etags of a task TaskTracker remembers.
constexpr size_t kEtagsRemembered = 8;
constexpr absl::Duration kCallbackDelay = absl::Milliseconds(50);

std::string Shown(const TaskInfo& info) {
  return absl::StrCat(TaskStateName(info.state), " ", info.succeeded_count.value_or(-1), "+",
                      info.failed_count.value_or(-1), "/", info.total_count.value_or(-1));
}

}  // namespace

WatchStream::WatchStream(SimulatedLoop* loop, Journal* journal, SimulatedServer* server, Random* random,
                         std::string name, WatchSession::Options options, const ReadingHabit* habit,
                         OnMessage on_message, OnEnd on_end)
    : loop_(loop),
      journal_(journal),
      server_(server),
      random_(random),
      name_(std::move(name)),
      options_(std::move(options)),
      habit_(habit),
      on_message_(std::move(on_message)),
      on_end_(std::move(on_end)),
      session_(
          std::make_unique<WatchSession>(loop, &server->tracker(), static_cast<WatchSession::Sink*>(this), options_)),
      told_etag_(options_.last_etag) {}

WatchStream::~WatchStream() {
  loop_->CancelTimer(write_timer_);
  loop_->CancelTimer(cancel_timer_);
}

void WatchStream::Open(absl::Duration silence_limit) {
  silence_limit_ = silence_limit;
  journal_->Note(name_, ": watches ", options_.task_id, " with etag '", options_.last_etag, "'");
  opened_ = loop_->SteadyNow();
  idle_since_ = opened_;
  const absl::Status admission = server_->TakeWatchPlace();
  if (!admission.ok()) return Finished(admission, std::nullopt);
  has_place_ = true;
  interested_ = true;
  server_->source().AddWatcher(options_.task_id);
  call_id_ = server_->AddCall([this](const absl::Status& status) { EndByServer(status); }, [this] { Lose(); });
  resumption_ = ResumptionNow();
  if (resumption_ == Resumption::kYes) journal_->Count("streams that resume from elsewhere");
  const bool known = !observations().empty() && !server_->forgets() && resumption_ == Resumption::kNo;
  session_->Start();
  if (known && !wrote_ && !finished_) {
    journal_->Break(Invariant::kFirstMessageAtOnce, name_, " is told nothing although ", options_.task_id, " is known");
  }
}

void WatchStream::Cancel() {
  if (session_ == nullptr && !ended_) {
    // The silence of a lost server is no longer waited for.
    loop_->CancelTimer(write_timer_);
    write_timer_ = loop_->RunAfter(absl::ZeroDuration(), [this] { End(absl::CancelledError("cancelled")); });
    return;
  }
  if (finished_ || cancelling_) return;
  journal_->Note(name_, ": cancels");
  cancelling_ = true;
  DeliverCancelIn(random_->Between(absl::ZeroDuration(), kCallbackDelay));
  if (writing_) EndWriteIn(random_->Between(absl::ZeroDuration(), kCallbackDelay), random_->Chance(0.3));
}

void WatchStream::Write(const TaskSnapshot& snapshot) {
  journal_->Note(name_, ": is told ", Shown(snapshot.info));
  journal_->Count("states told");
  CheckUsable("a state");
  CheckSilence("a state");
  CheckState(snapshot);
  if (IsDone(snapshot.info.state)) {
    journal_->Break(Invariant::kTerminalExactlyOnceLastAndOk, name_, " is told the end, but the stream goes on");
  }
  v1::WatchTaskResponse message;
  FillTaskInfo(snapshot, *message.mutable_task());
  BeginWrite(std::move(message));
}

void WatchStream::Write(const WatchSession::Heartbeat& heartbeat) {
  journal_->Note(name_, ": hears a heartbeat with etag '", heartbeat.etag, "' ",
                 ShownStatus(heartbeat.last_poll_error));
  const absl::string_view error = ErrorReasonName(ReasonOf(heartbeat.last_poll_error));
  journal_->Count(absl::StrCat("heartbeats", error.empty() ? "" : ": ", error));
  CheckUsable("a heartbeat");
  CheckSilence("a heartbeat");
  CheckHeartbeat(heartbeat);
  v1::WatchTaskResponse message;
  message.mutable_heartbeat()->set_etag(heartbeat.etag);
  if (heartbeat.observe_time.has_value()) {
    FillTimestamp(*heartbeat.observe_time, *message.mutable_heartbeat()->mutable_observe_time());
  }
  BeginWrite(std::move(message));
}

void WatchStream::WriteAndFinish(const TaskSnapshot& snapshot) {
  journal_->Note(name_, ": is told ", Shown(snapshot.info), " and OK");
  CheckUsable("the end");
  CheckSilence("the end");
  CheckState(snapshot);
  if (!IsDone(snapshot.info.state)) {
    journal_->Break(Invariant::kTerminalExactlyOnceLastAndOk, name_, " got OK after ", Shown(snapshot.info));
  }
  v1::WatchTaskResponse message;
  FillTaskInfo(snapshot, *message.mutable_task());
  Finished(absl::OkStatus(), std::move(message));
}

void WatchStream::Finish(const absl::Status& status) {
  journal_->Note(name_, ": ends with ", ShownStatus(status));
  CheckUsable("a status");
  CheckSilence("a status");
  CheckEnd(status);
  Finished(status, std::nullopt);
}

void WatchStream::Abort() {
  journal_->Note(name_, ": is broken off");
  journal_->Count("streams broken off");
  if (!writing_) journal_->Break(Invariant::kStalledWritesAreBrokenOff, name_, " is broken off while it waits");
  aborted_ = true;
  EndWriteIn(random_->Between(absl::ZeroDuration(), kCallbackDelay), false);
  DeliverCancelIn(random_->Between(absl::ZeroDuration(), kCallbackDelay));
}

void WatchStream::BeginWrite(v1::WatchTaskResponse message) {
  wrote_ = true;
  writing_ = true;
  message_ = std::move(message);
  write_began_ = loop_->SteadyNow();
  if (cancelling_) {
    EndWriteIn(random_->Between(absl::ZeroDuration(), kCallbackDelay), false);
  } else if (!random_->Chance(habit_->stall)) {
    EndWriteIn(random_->Between(habit_->min_write, habit_->max_write), true);
  } else {
    // Checked even if nobody breaks it off.
    EndWriteIn(options_.stall_timeout + absl::Seconds(1), false);
  }
}

void WatchStream::EndWriteIn(absl::Duration delay, bool ok) {
  loop_->CancelTimer(write_timer_);
  write_timer_ = loop_->RunAfter(delay, [this, ok] { EndWrite(ok); });
}

void WatchStream::EndWrite(bool ok) {
  journal_->Note(name_, ok ? ": has read it" : ": write fails");
  if (loop_->SteadyNow() - write_began_ > options_.stall_timeout && !aborted_) {
    journal_->Break(Invariant::kStalledWritesAreBrokenOff, name_, " was left in one write for ",
                    absl::FormatDuration(loop_->SteadyNow() - write_began_));
  }
  writing_ = false;
  idle_since_ = loop_->SteadyNow();
  if (ok) {
    on_message_(message_);
  } else {
    write_failed_ = true;
    LoseInterest();
  }
  session_->OnWritten(ok);
}

void WatchStream::DeliverCancelIn(absl::Duration delay) {
  loop_->CancelTimer(cancel_timer_);
  cancel_timer_ = loop_->RunAfter(delay, [this] { DeliverCancel(); });
}

void WatchStream::DeliverCancel() {
  cancelled_ = true;
  LoseInterest();
  session_->OnCancelled();
}

void WatchStream::EndByServer(const absl::Status& status) {
  journal_->Note(name_, ": is asked to end");
  end_asked_ = std::min(end_asked_, loop_->SteadyNow());
  LoseInterest();
  session_->End(status);
}

void WatchStream::Lose() {
  journal_->Note(name_, ": has lost its server");
  journal_->Count("streams lost");
  loop_->CancelTimer(write_timer_);
  loop_->CancelTimer(cancel_timer_);
  interested_ = false;
  session_.reset();
  finished_ = true;
  // Of a host that has vanished nobody hears: the client has to notice the silence.
  const absl::Duration unnoticed =
      random_->Chance(0.7) ? random_->Between(absl::ZeroDuration(), absl::Seconds(1)) : silence_limit_;
  write_timer_ = loop_->RunAfter(unnoticed, [this] { End(absl::UnavailableError("the connection broke")); });
}

void WatchStream::LoseInterest() {
  if (std::exchange(interested_, false)) server_->source().RemoveWatcher(options_.task_id);
}

void WatchStream::Finished(const absl::Status& status, std::optional<v1::WatchTaskResponse> last_message) {
  if (std::exchange(finished_, true)) return;
  const absl::string_view reason = ErrorReasonName(ReasonOf(status));
  journal_->Count(absl::StrCat("streams ended: ", reason.empty() ? absl::StatusCodeToString(status.code()) : reason));
  LoseInterest();
  server_->RemoveCall(call_id_);
  if (has_place_) server_->ReturnWatchPlace();
  // gRPC may tell of a cancel until the call is done with, also after its end.
  if (has_place_ && random_->Chance(0.2)) {
    loop_->Post(lifetime_.Guard([this] {
      if (session_ != nullptr) session_->OnCancelled();
    }));
  }
  loop_->Post(lifetime_.Guard([this, status, last_message = std::move(last_message)] {
    if (last_message.has_value()) on_message_(*last_message);
    End(status);
  }));
}

void WatchStream::End(const absl::Status& status) {
  ended_ = true;
  OnEnd on_end = std::move(on_end_);
  on_end(status);
}

WatchStream::Resumption WatchStream::ResumptionNow() const {
  if (options_.last_etag.empty()) return Resumption::kNo;
  // The first call may be under way.
  if (observations().empty()) return Resumption::kPerhaps;
  if (IsDone(observations().back().info.state)) return Resumption::kNo;
  std::set<std::string> etags;
  for (auto observation = observations().rbegin(); observation != observations().rend(); ++observation) {
    etags.insert(observation->etag);
    if (etags.size() > kEtagsRemembered) break;
    if (observation->etag != options_.last_etag) continue;
    // For so long after an answer more is known of a task than that answer.
    const absl::Duration age = loop_->SteadyNow() - observations().back().received;
    // A server whose clock was set may have forgotten more.
    const bool in_time = age < server_->tracker_options().lingering.duration && loop_->clock_changes() == 0;
    const bool remembered = !server_->forgets() && (etags.size() == 1 || in_time);
    return remembered ? Resumption::kNo : Resumption::kPerhaps;
  }
  return Resumption::kYes;
}

void WatchStream::CheckResumption(const TaskSnapshot& snapshot) {
  if (std::exchange(resumption_, Resumption::kNo) != Resumption::kYes || IsDone(snapshot.info.state)) return;
  const RecordedTaskSource::Record& record = server_->source().RecordOf(options_.task_id);
  const bool asked = observations().back().sent >= opened_;
  const bool cannot_ask = record.last_failure >= record.last_success;
  const bool known_after_all =
      std::any_of(observations().begin(), observations().end(), [this](const auto& observation) {
        return observation.etag == options_.last_etag && observation.received >= opened_;
      });
  if (asked || cannot_ask || known_after_all) return;
  journal_->Break(Invariant::kResumesAreNewEnough, name_, " is told what was asked for before it came");
}

bool WatchStream::MayBeEnding() const {
  return cancelled_ || write_failed_ || end_asked_ != absl::InfiniteFuture() ||
         loop_->SteadyNow() - opened_ >= options_.max_age * kMinAgeShare ||
         server_->source().RecordOf(options_.task_id).last_fatal >= opened_;
}

void WatchStream::CheckUsable(absl::string_view what) {
  if (finished_) journal_->Break(Invariant::kNothingAfterTheEnd, name_, " is sent ", what, " after its end");
  if (writing_) journal_->Break(Invariant::kOneWriteAtATime, name_, " is sent ", what, " during a write");
}

void WatchStream::CheckSilence(absl::string_view what) {
  if (writing_ || loop_->SteadyNow() - idle_since_ <= options_.heartbeat_interval) return;
  journal_->Break(Invariant::kHeartbeatsInTime, name_, " heard nothing for ",
                  absl::FormatDuration(loop_->SteadyNow() - idle_since_), " before ", what);
}

void WatchStream::CheckState(const TaskSnapshot& snapshot) {
  // A finished task is always sent, also to who has seen it on another stream.
  const bool may_repeat = IsDone(snapshot.info.state) && !told_state_;
  if (snapshot.etag == told_etag_ && !may_repeat) {
    journal_->Break(Invariant::kNoDuplicateEtagInARow, name_, " is told ", Shown(snapshot.info), " again");
  }
  told_etag_ = snapshot.etag;
  told_state_ = true;
  CheckResumption(snapshot);

  size_t match = next_observation_;
  while (match < observations().size() && observations()[match].info != snapshot.info) ++match;
  if (match == observations().size()) {
    const bool had = std::any_of(observations().begin(), observations().end(),
                                 [&](const auto& observation) { return observation.info == snapshot.info; });
    journal_->Break(had ? Invariant::kObservationOrder : Invariant::kFirstMessageIsAStateTheUpstreamHad, name_,
                    " is told ", Shown(snapshot.info), had ? " after a later state" : ", which DingTalk did not say");
    return;
  }
  next_observation_ = match;
  if (!MayBeEnding() && !server_->http().IsLatest(snapshot.info)) {
    journal_->Break(Invariant::kLatestStateOnly, name_, " is told ", Shown(snapshot.info), " although ",
                    Shown(observations().back().info), " is known");
  }
}

void WatchStream::CheckHeartbeat(const WatchSession::Heartbeat& heartbeat) {
  const auto broken = [this](absl::string_view what) {
    journal_->Break(Invariant::kHeartbeatsTellTheTruth, name_, "'s heartbeat ", what);
  };
  journal_->CheckForSecrets(name_, heartbeat.last_poll_error);
  const absl::Status& last_result = server_->source().RecordOf(options_.task_id).last_result;
  if (!heartbeat.last_poll_error.ok() && heartbeat.last_poll_error != last_result) broken("tells an error of the past");
  const bool forgotten = server_->forgets() && heartbeat.etag.empty();
  if (observations().empty() || forgotten) {
    if (!heartbeat.etag.empty() || heartbeat.observe_time.has_value()) broken("names a state although none is known");
    return;
  }
  if (resumption_ != Resumption::kNo && heartbeat.etag.empty() && !heartbeat.observe_time.has_value()) return;
  const SimulatedHttpClient::Observation& latest = observations().back();
  // What comes at this very moment may still be on its way.
  if (latest.received == loop_->SteadyNow()) return;
  if (heartbeat.etag != latest.etag) broken("names another state than the latest");
  if (heartbeat.etag != told_etag_) broken("names a state that was not told");
  if (heartbeat.observe_time != latest.observe_time) broken("has the wrong time of observation");
  if (IsDone(latest.info.state)) {
    journal_->Break(Invariant::kNoFinalStateLost, name_, " hears a heartbeat although the task has ended");
  }
}

void WatchStream::CheckEnd(const absl::Status& status) {
  journal_->CheckForSecrets(name_, status);
  if (status.ok()) {
    journal_->Break(Invariant::kTerminalExactlyOnceLastAndOk, name_, " ends with OK but without a final state");
    return;
  }
  const bool final_known = !observations().empty() && IsDone(observations().back().info.state) && !server_->forgets();
  const absl::Time final_received = final_known ? observations().back().received : absl::InfiniteFuture();
  const absl::Time earliest_rotation = opened_ + options_.max_age * kMinAgeShare;
  const ErrorDetails details = DetailsOf(status);
  switch (details.reason) {
    case ErrorReason::kNone:
      if (!absl::IsCancelled(status) || !(cancelled_ || write_failed_)) {
        journal_->Break(Invariant::kNoAnswerWithoutAReason, name_, " ends with ", ShownStatus(status));
      }
      return;
    case ErrorReason::kStreamRotated:
      if (loop_->SteadyNow() < earliest_rotation) {
        journal_->Break(Invariant::kErrorsEndNothingEarly, name_, " is rotated after ",
                        absl::FormatDuration(loop_->SteadyNow() - opened_));
      }
      if (final_received < earliest_rotation) {
        journal_->Break(Invariant::kNoFinalStateLost, name_, " is rotated although the task has ended");
      }
      return;
    case ErrorReason::kServerDraining:
      if (final_received < end_asked_) {
        journal_->Break(Invariant::kNoFinalStateLost, name_, " is drained although the task has ended");
      }
      return;
    default:
      break;
  }
  const bool refused =
      !wrote_ && details.persistence == Persistence::kPermanent && server_->source().RefusedLately(options_.task_id);
  if (server_->source().RecordOf(options_.task_id).last_fatal < opened_ && !refused) {
    journal_->Break(Invariant::kErrorsEndNothingEarly, name_, " ends with ", ShownStatus(status));
  }
}

}  // namespace taskwatch::simulation
