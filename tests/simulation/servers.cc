#include "tests/simulation/servers.h"

#include <utility>

#include "service/tracker/task_tracker.h"

namespace taskwatch::simulation {

Servers::Servers(World* world, SimulatedDingTalk* dingtalk, const NetworkMood* network, const DiskMood* disks,
                 Random random, const SimulatedServer::Options& options)
    : world_(world), dingtalk_(dingtalk), network_(network), disks_(disks), random_(random), options_(options) {
  Start(std::make_shared<SimulatedDisk>());
}

void Servers::Replace() {
  world_->journal->Note("server: drains; another one starts");
  world_->journal->Count("servers drained");
  SimulatedServer* const old = world_->server;
  std::shared_ptr<SimulatedDisk> disk;
  if (spare_disks_.empty()) {
    disk = std::make_shared<SimulatedDisk>();
  } else {
    disk = std::move(spare_disks_.back());
    spare_disks_.pop_back();
  }
  Start(std::move(disk));
  old->Drain();
}

void Servers::Crash() {
  world_->journal->Note("server: crashes; another one starts");
  world_->journal->Count("servers crashed");
  const std::unique_ptr<SimulatedServer> old = std::move(servers_.back());
  servers_.pop_back();
  old->Crash();
  Start(old->disk());
}

void Servers::Reap() {
  for (auto server = servers_.begin(); server != servers_.end();) {
    if (!(*server)->draining() || (*server)->open_calls() > 0) {
      ++server;
      continue;
    }
    const TaskTracker::Stats stats = (*server)->tracker().stats();
    if (stats.watchers + stats.waiting_gets > 0) {
      world_->journal->Break(Invariant::kStartedEqualsFinished, "a drained server has ", stats.watchers,
                             " watchers and ", stats.waiting_gets, " gets");
    }
    world_->journal->Note("server: has drained");
    spare_disks_.push_back((*server)->disk());
    server = servers_.erase(server);
  }
}

void Servers::CheckEmpty(const std::vector<std::string>& task_ids) {
  Journal& journal = *world_->journal;
  for (const auto& server : servers_) {
    const TaskTracker::Stats stats = server->tracker().stats();
    for (const std::string& task_id : task_ids) {
      const RecordedTaskSource::Record& record = server->source().RecordOf(task_id);
      if (record.started == record.finished) continue;
      journal.Break(Invariant::kStartedEqualsFinished, record.started, " fetches of ", task_id, " started, ",
                    record.finished, " finished");
    }
    if (stats.entries + stats.watchers + stats.waiting_gets > 0) {
      journal.Break(Invariant::kEntriesAndTimersGone, "the tracker keeps ", stats.entries, " entries, ", stats.watchers,
                    " watchers and ", stats.waiting_gets, " gets");
    }
    const std::string taken = server->TakenSlots();
    if (!taken.empty()) journal.Break(Invariant::kSlotsAreFree, taken);
  }
}

void Servers::Start(std::shared_ptr<SimulatedDisk> disk) {
  options_.tracker.seed = random_.Below(1u << 30);
  servers_.push_back(std::make_unique<SimulatedServer>(world_->loop, dingtalk_, world_->journal, network_,
                                                       std::move(disk), disks_, random_.Fork(), options_));
  world_->server = servers_.back().get();
}

}  // namespace taskwatch::simulation
