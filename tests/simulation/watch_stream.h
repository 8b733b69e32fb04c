// One WatchTask stream as its client lives through it, with everything checked that the contract promises of it.
#ifndef TASKWATCH_TESTS_SIMULATION_WATCH_STREAM_H_
#define TASKWATCH_TESTS_SIMULATION_WATCH_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "service/runtime/lifetime.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_info.h"
#include "service/tracker/watch_session.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/random.h"
#include "tests/simulation/simulated_dingtalk.h"
#include "tests/simulation/simulated_server.h"

namespace taskwatch::simulation {

// How fast a client reads.
struct ReadingHabit {
  absl::Duration min_write;
  absl::Duration max_write;
  // Of every write: that it never comes to its end.
  double stall = 0;
};

// The transport under a WatchSession: writes take their time, stall, fail; cancels come late and in any order, as
// gRPC's callbacks do. Must not be destroyed before it has ended.
class WatchStream final : private WatchSession::Sink {
 public:
  // The client has read a message.
  using OnMessage = absl::AnyInvocable<void(const v1::WatchTaskResponse&)>;
  // The stream has ended. Called on a turn of the loop of its own; may destroy the stream.
  using OnEnd = absl::AnyInvocable<void(const absl::Status&)>;

  // All must outlive the stream, but for the server: it may crash. `random` is the client's own.
  WatchStream(SimulatedLoop* loop, Journal* journal, SimulatedServer* server, Random* random, std::string name,
              WatchSession::Options options, const ReadingHabit* habit, OnMessage on_message, OnEnd on_end);
  ~WatchStream() override;

  // To be called once. The client takes a stream that is silent for `silence_limit` for dead.
  void Open(absl::Duration silence_limit);

  // The client goes away.
  void Cancel();

  bool ended() const { return finished_; }

 private:
  // Whether the client may have seen a newer state than the server knows, so that the server has to ask first.
  enum class Resumption {
    kNo,
    // If the server has forgotten the state that it has seen.
    kPerhaps,
    kYes,
  };
  using Observations = std::vector<SimulatedHttpClient::Observation>;

  void Write(const TaskSnapshot& snapshot) override;
  void Write(const WatchSession::Heartbeat& heartbeat) override;
  void WriteAndFinish(const TaskSnapshot& snapshot) override;
  void Finish(const absl::Status& status) override;
  void Abort() override;

  void BeginWrite(v1::WatchTaskResponse message);
  void EndWriteIn(absl::Duration delay, bool ok);
  void EndWrite(bool ok);
  void DeliverCancelIn(absl::Duration delay);
  void DeliverCancel();
  void EndByServer(const absl::Status& status);
  // The server has crashed.
  void Lose();
  void LoseInterest();
  void Finished(const absl::Status& status, std::optional<v1::WatchTaskResponse> last_message);
  void End(const absl::Status& status);

  const Observations& observations() const { return server_->http().ObservationsOf(options_.task_id); }
  // Whether the session may have decided already that the stream ends, so that later news are not for it.
  bool MayBeEnding() const;
  Resumption ResumptionNow() const;
  void CheckResumption(const TaskSnapshot& snapshot);
  void CheckUsable(absl::string_view what);
  void CheckSilence(absl::string_view what);
  void CheckState(const TaskSnapshot& snapshot);
  void CheckHeartbeat(const WatchSession::Heartbeat& heartbeat);
  void CheckEnd(const absl::Status& status);

  SimulatedLoop* const loop_;
  Journal* const journal_;
  SimulatedServer* const server_;
  Random* const random_;
  const std::string name_;
  const WatchSession::Options options_;
  const ReadingHabit* const habit_;
  OnMessage on_message_;
  OnEnd on_end_;
  // None once the server has crashed.
  std::unique_ptr<WatchSession> session_;
  absl::Duration silence_limit_;
  uint64_t call_id_ = 0;
  bool has_place_ = false;

  absl::Time opened_;
  // The end of the last write, or the opening.
  absl::Time idle_since_;
  absl::Time write_began_;
  // Until the first state is told.
  Resumption resumption_ = Resumption::kNo;
  bool interested_ = false;
  bool wrote_ = false;
  bool writing_ = false;
  bool aborted_ = false;
  bool write_failed_ = false;
  bool finished_ = false;
  // The client knows of it.
  bool ended_ = false;
  bool cancelling_ = false;
  bool cancelled_ = false;
  // When the server was told to end the stream.
  absl::Time end_asked_ = absl::InfiniteFuture();
  bool told_state_ = false;
  // The etag told last, or the one that the client began with.
  std::string told_etag_;
  // What is being written.
  v1::WatchTaskResponse message_;
  // The first of the observations that the next state may be.
  size_t next_observation_ = 0;
  EventLoop::TimerId write_timer_;
  EventLoop::TimerId cancel_timer_;
  const Lifetime lifetime_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_WATCH_STREAM_H_
