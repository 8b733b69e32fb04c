#include "service/quota/calls_in_flight.h"

namespace taskwatch {
namespace {

constexpr absl::Duration kSilence = absl::Seconds(2);
constexpr size_t kMostInSilence = 20;
// No call takes so long.
constexpr absl::Duration kLost = absl::Minutes(5);

}  // namespace

void CallsInFlight::Add(uint64_t id, const Call& call) {
  if (call.start - last_sweep_ >= kLost) {
    absl::erase_if(calls_, [&call](const auto& old) { return call.start - old.second.start >= kLost; });
    last_sweep_ = call.start;
  }
  if (calls_.empty()) silent_since_ = call.start;
  calls_.emplace(id, call);
}

std::optional<CallsInFlight::Call> CallsInFlight::Remove(uint64_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return std::nullopt;
  const Call call = found->second;
  calls_.erase(found);
  return call;
}

bool CallsInFlight::HaveRoomAt(absl::Time now) const {
  if (calls_.size() < kMostInSilence) return true;
  const absl::Duration silence = now - silent_since_;
  return silence < kSilence || silence >= kLost;
}

void CallsInFlight::ShiftBack(absl::Duration back) {
  for (auto& [id, call] : calls_) call.start -= back;
  silent_since_ -= back;
  last_sweep_ -= back;
}

}  // namespace taskwatch
