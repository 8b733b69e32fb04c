// A client that watches a task: stream after stream until it has ended, or until the client has had enough.
#ifndef TASKWATCH_TESTS_SIMULATION_WATCHER_H_
#define TASKWATCH_TESTS_SIMULATION_WATCHER_H_

#include <memory>
#include <string>

#include "absl/time/time.h"

#include "service/runtime/event_loop.h"
#include "service/tracker/watch_session.h"
#include "tests/simulation/random.h"
#include "tests/simulation/watch_stream.h"
#include "tests/simulation/world.h"

namespace taskwatch::simulation {

class Watcher {
 public:
  struct Options {
    std::string name;
    // What each of its streams is opened with; the etag is the one read last.
    WatchSession::Options session;
    ReadingHabit habit;
    absl::Duration arrival;
    // Comes again after every end but the task's.
    bool patient = true;
    // How often it leaves a stream without a reason.
    double restless = 0;
  };

  // `world` must outlive it.
  Watcher(World* world, Random random, Options options);
  ~Watcher();

  // Leaves for good.
  void Leave();
  // Reads as it should from now on.
  void CalmDown() { options_.habit.stall = 0; }

  bool patient() const { return options_.patient; }
  const std::string& name() const { return options_.name; }
  const std::string& task_id() const { return options_.session.task_id; }
  bool saw_the_end() const { return saw_the_end_; }

 private:
  void OpenIn(absl::Duration delay);
  void Open();
  void OnEnd(const WatchStream::Result& result);

  World* const world_;
  Random random_;
  Options options_;
  std::string etag_;
  bool left_ = false;
  bool saw_the_end_ = false;
  std::unique_ptr<WatchStream> stream_;
  EventLoop::TimerId open_timer_;
  EventLoop::TimerId cancel_timer_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_WATCHER_H_
