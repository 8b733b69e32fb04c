// What a task costs, and when its end is seen, if its watcher comes and goes: one watch from beginning to end, streams
// that are rotated every ten minutes, and the loop of waits that the proto describes. DingTalk is the stand-in's.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "service/dingtalk/doc_task.h"
#include "service/runtime/simulated_loop.h"
#include "service/task/task_info.h"
#include "service/task/task_source.h"
#include "service/tracker/snapshot_cache.h"
#include "service/tracker/task_tracker.h"
#include "service/tracker/wait_session.h"
#include "service/tracker/watch_session.h"
#include "tests/dingtalk_standin/task_plan.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kLatency = absl::Milliseconds(50);
// From the end of a call to the next one of the same client.
constexpr absl::Duration kComeback = absl::Milliseconds(200);

// Answers as DingTalk would about one task, which begins with the loop.
class StandinSource final : public TaskSource {
 public:
  StandinSource(SimulatedLoop* loop, const standin::TaskPlan& plan) : loop_(loop), plan_(plan) {}

  void Fetch(absl::string_view task_id, const FetchOptions&, Done done) override {
    ++calls;
    auto info = ParseTaskInfo(task_id, standin::TaskBody(task_id, plan_, loop_->Elapsed()));
    loop_->RunAfter(kLatency, [done = std::move(done), info = std::move(info)]() mutable { done(std::move(info)); });
  }
  bool Join(absl::string_view, const FetchOptions&) override { return false; }
  bool Cancel(absl::string_view) override { return false; }

  int calls = 0;

 private:
  SimulatedLoop* const loop_;
  const standin::TaskPlan plan_;
};

// A client of streams: watches again with its etag until the task has ended.
class StreamClient final : public WatchSession::Sink {
 public:
  StreamClient(SimulatedLoop* loop, TaskTracker* tracker, absl::Duration max_age) : loop_(loop), tracker_(tracker) {
    options_.task_id = "abcd";
    options_.max_age = max_age;
    Open();
  }
  bool saw_the_end() const { return saw_the_end_; }

 private:
  void Open() {
    session_ = std::make_unique<WatchSession>(loop_, tracker_, this, options_);
    session_->Start();
  }
  void Write(const TaskSnapshot& snapshot) override {
    options_.last_etag = snapshot.etag;
    loop_->Post([this] { session_->OnWritten(true); });
  }
  void Write(const WatchSession::Heartbeat&) override {
    loop_->Post([this] { session_->OnWritten(true); });
  }
  void WriteAndFinish(const TaskSnapshot&) override { saw_the_end_ = true; }
  void Finish(const absl::Status&) override {
    loop_->RunAfter(kComeback, [this] { Open(); });
  }
  void Abort() override { ADD_FAILURE() << "a write stalled"; }

  SimulatedLoop* const loop_;
  TaskTracker* const tracker_;
  WatchSession::Options options_;
  std::unique_ptr<WatchSession> session_;
  bool saw_the_end_ = false;
};

// A client that waits again and again, as the proto says, with the etag of the last answer or without.
class WaitClient {
 public:
  WaitClient(SimulatedLoop* loop, TaskTracker* tracker, bool tells_etag)
      : loop_(loop), tracker_(tracker), tells_etag_(tells_etag) {
    options_.task_id = "abcd";
    Wait();
  }
  bool saw_the_end() const { return saw_the_end_; }

 private:
  void Wait() {
    session_ = std::make_unique<WaitSession>(
        loop_, tracker_, options_, [this](const absl::StatusOr<TaskSnapshotPtr>& answer) { OnAnswer(answer); });
    session_->Start();
  }
  void OnAnswer(const absl::StatusOr<TaskSnapshotPtr>& answer) {
    ASSERT_TRUE(answer.ok()) << answer.status();
    if (tells_etag_) options_.last_etag = (*answer)->etag;
    saw_the_end_ = IsDone((*answer)->info.state);
    if (!saw_the_end_) loop_->RunAfter(kComeback, [this] { Wait(); });
  }

  SimulatedLoop* const loop_;
  TaskTracker* const tracker_;
  const bool tells_etag_;
  WaitSession::Options options_;
  std::unique_ptr<WaitSession> session_;
  bool saw_the_end_ = false;
};

struct Cost {
  int calls = 0;
  absl::Duration delay;
};

// Runs a task with the client that `begin` makes until it has seen the end.
template <typename Begin>
Cost CostOf(const standin::TaskPlan& plan, Begin begin) {
  SimulatedLoop loop;
  StandinSource source(&loop, plan);
  SnapshotCache cache(1000);
  TaskTracker tracker(&loop, &source, &cache, TaskTracker::Options());
  const auto client = begin(&loop, &tracker);
  while (!client->saw_the_end() && loop.Elapsed() < absl::Hours(10)) loop.RunFor(absl::Milliseconds(100));
  EXPECT_TRUE(client->saw_the_end());
  return {source.calls, loop.Elapsed() - plan.waiting - plan.running};
}

std::string Shown(const Cost& cost) {
  return absl::StrFormat("%3d calls, %4.1f s late", cost.calls, absl::ToDoubleSeconds(cost.delay));
}

struct Row {
  const char* name;
  standin::ProgressShape shape;
  int64_t items;
};

class ComebackCost : public testing::TestWithParam<Row> {};

TEST_P(ComebackCost, IsThatOfOneWatch) {
  standin::TaskPlan plan;
  plan.waiting = absl::ZeroDuration();
  plan.running = absl::Hours(1);
  plan.shape = GetParam().shape;
  plan.items = GetParam().items;
  const auto stream = [](absl::Duration max_age) {
    return [max_age](SimulatedLoop* loop, TaskTracker* tracker) {
      return std::make_unique<StreamClient>(loop, tracker, max_age);
    };
  };
  const auto waits = [](bool tells_etag) {
    return [tells_etag](SimulatedLoop* loop, TaskTracker* tracker) {
      return std::make_unique<WaitClient>(loop, tracker, tells_etag);
    };
  };
  const Cost watch = CostOf(plan, stream(absl::Hours(10)));
  const std::pair<const char*, Cost> others[] = {
      {"rotated every 10 min", CostOf(plan, stream(absl::Minutes(10)))},
      {"waits with the etag", CostOf(plan, waits(true))},
      {"waits without it", CostOf(plan, waits(false))},
  };
  std::cout << "a task of one hour, " << GetParam().name << "\n  one watch              " << Shown(watch) << "\n";
  for (const auto& [name, cost] : others) {
    std::cout << absl::StrFormat("  %-22s %s\n", name, Shown(cost));
    EXPECT_LE(cost.calls, 1.1 * watch.calls) << name;
    EXPECT_LE(cost.delay, watch.delay + absl::Seconds(5)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Tasks, ComebackCost,
    testing::Values(Row{"without counts", standin::ProgressShape::kNone, 1},
                    Row{"1,000 items, steady", standin::ProgressShape::kLinear, 1000},
                    Row{"20 items, steady", standin::ProgressShape::kLinear, 20},
                    Row{"1,000 items, faster and faster", standin::ProgressShape::kAccelerating, 1000},
                    Row{"1,000 items, slower and slower", standin::ProgressShape::kSlowing, 1000}));

}  // namespace
}  // namespace taskwatch
