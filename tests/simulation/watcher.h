// A client that watches a task until it has ended, or until the client has had enough: with what the C++ library
// decides (client/internal/watch_run.h) over streams of the simulation.
#ifndef TASKWATCH_TESTS_SIMULATION_WATCHER_H_
#define TASKWATCH_TESTS_SIMULATION_WATCHER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "taskwatch/v1/task_service.pb.h"

#include "client/internal/watch_run.h"
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
    // What each of its streams is opened with; the etag is the library's.
    WatchSession::Options session;
    ReadingHabit habit;
    absl::Duration arrival;
    // Watches again when the library has given up, until the task has ended.
    bool patient = true;
    // How often it leaves a stream without a reason.
    double restless = 0;
    // How often it opens a stream with an etag that no state ever had.
    double confused = 0;
  };

  // `world` must outlive it.
  Watcher(World* world, Random random, Options options);
  ~Watcher();

  // Leaves for good.
  void Leave();
  // Reads as it should from now on.
  void CalmDown();

  bool patient() const { return options_.patient; }
  const std::string& name() const { return options_.name; }
  const std::string& task_id() const { return options_.session.task_id; }
  bool saw_the_end() const { return saw_the_end_; }
  // Whether it finds no room at its server.
  bool shut_out() const { return shut_out_; }

 private:
  // Begins to watch, with the etag that it knows.
  void BeginRun();
  void OpenIn(absl::Duration delay);
  void Open();
  // What the library tells its user.
  void OnTask(const v1::TaskInfo& task);
  void OnStreamEnd(const absl::Status& status);

  World* const world_;
  Random random_;
  Options options_;
  std::unique_ptr<client::WatchRun> run_;
  std::string etag_;
  bool left_ = false;
  bool saw_the_end_ = false;
  bool shut_out_ = false;
  std::unique_ptr<WatchStream> stream_;
  EventLoop::TimerId open_timer_;
  EventLoop::TimerId cancel_timer_;
};

}  // namespace taskwatch::simulation

#endif  // TASKWATCH_TESTS_SIMULATION_WATCHER_H_
