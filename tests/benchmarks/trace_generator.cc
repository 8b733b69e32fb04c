#include "tests/benchmarks/trace_generator.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"

namespace taskwatch {
namespace {

// The standard's distributions differ between libraries; these do not.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  double Uniform(double low, double high) { return low + (high - low) * Unit(); }
  double LogUniform(double low, double high) { return low * std::pow(high / low, Unit()); }
  int LogUniformInt(int low, int high) { return std::min(high, static_cast<int>(LogUniform(low, high + 1.0))); }
  double Exponential() { return -std::log(1.0 - Unit()); }
  double Normal() { return std::sqrt(2.0 * Exponential()) * std::cos(6.283185307179586 * Unit()); }
  double LogNormal(double sigma) { return std::exp(sigma * Normal()); }
  // Heavy-tailed from 1 up: a few are as large as all the others together.
  double Pareto(double shape) { return std::pow(1.0 - Unit(), -1.0 / shape); }
  bool Chance(double probability) { return Unit() < probability; }

 private:
  double Unit() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

  std::mt19937_64 engine_;
};

// When each item is done, as shares of the working time: ascending, the last one 1 or less.
using Curve = std::vector<double>;

// How a family's tasks behave.
struct Family {
  const char* name;
  // Items, if any are counted.
  int min_items;
  int max_items;
  std::function<Curve(Random&, int items)> curve;
  // The share of a task's length that it waits before it runs.
  double min_waiting = 0;
  double max_waiting = 0;
  // Whether answers have counts at all, and whether they move before the end.
  bool counts = true;
  bool moves = true;
  // Whether the number of items is still growing while the first half is done.
  bool total_grows = false;
};

// One item after the other, each taking what `duration` says.
Curve OneByOne(int items, const std::function<double(int item)>& duration) {
  Curve curve(items);
  double sum = 0;
  for (int i = 0; i < items; ++i) curve[i] = sum += duration(i);
  for (double& share : curve) share /= sum;
  return curve;
}

Curve Linear(Random&, int items) {
  return OneByOne(items, [](int) { return 1.0; });
}

Curve Noisy(Random& random, int items) {
  const double sigma = random.Uniform(0.3, 1.2);
  double drift = 0;
  return OneByOne(items, [&](int) {
    drift = 0.9 * drift + 0.2 * random.Normal();
    return random.LogNormal(sigma) * std::exp(drift);
  });
}

// Progress that follows age^power: below one it comes early, above one late.
Curve Bent(Random& random, int items, double power) {
  const double sigma = random.Uniform(0.0, 0.5);
  double before = 0;
  return OneByOne(items, [&](int item) {
    const double here = std::pow((item + 1.0) / items, 1.0 / power);
    return (here - std::exchange(before, here)) * random.LogNormal(sigma);
  });
}

Curve FrontLoaded(Random& random, int items) { return Bent(random, items, 1.0 / random.Uniform(1.3, 3.0)); }
Curve BackLoaded(Random& random, int items) { return Bent(random, items, random.Uniform(1.3, 3.0)); }

// Fast until a large share is done and then slower at once, or the other way round.
Curve ChangesPace(Random& random, int items) {
  const int bend = static_cast<int>(items * random.Uniform(0.2, 0.8));
  const double factor = random.LogUniform(0.15, 6.0);
  return OneByOne(items, [&](int item) { return item < bend ? 1.0 : factor; });
}

// Linear but for one to three pauses.
Curve Paused(Random& random, int items) {
  std::vector<double> pause(items, 0.0);
  const int pauses = random.LogUniformInt(1, 3);
  for (int i = 0; i < pauses; ++i) {
    pause[std::min(items - 1, static_cast<int>(random.Uniform(0, items)))] += items * random.LogUniform(0.05, 0.5);
  }
  return OneByOne(items, [&](int item) { return 1.0 + pause[item]; });
}

// Items are reported a batch at a time.
Curve Bursts(Random& random, int items) {
  const int batches = std::min(items, random.LogUniformInt(3, 15));
  const Curve ends = OneByOne(batches, [&](int) { return random.LogNormal(0.5); });
  Curve curve(items);
  for (int i = 0; i < items; ++i) curve[i] = ends[static_cast<size_t>(i) * batches / items];
  return curve;
}

Curve UnequalItems(Random& random, int items) {
  return OneByOne(items, [&](int) { return random.Pareto(1.2); });
}

// All items are done a while before the task says that it has ended.
Curve LongTail(Random& random, int items) {
  const double work = 1.0 - random.LogUniform(0.02, 0.4);
  Curve curve = Noisy(random, items);
  for (double& share : curve) share *= work;
  return curve;
}

const std::vector<Family>& Families() {
  static const auto& families = *new std::vector<Family>{
      {"linear", 10, 1000, Linear},
      {"noisy", 10, 1000, Noisy},
      {"front-loaded", 10, 1000, FrontLoaded},
      {"back-loaded", 10, 1000, BackLoaded},
      {"changes-pace", 10, 1000, ChangesPace},
      {"few-items", 1, 9, Noisy},
      {"unequal-items", 5, 500, UnequalItems},
      {"bursts", 10, 1000, Bursts},
      {"paused", 10, 1000, Paused},
      {"long-tail", 10, 1000, LongTail},
      {"growing-total", 10, 1000, Noisy, 0, 0, true, true, true},
      {"waiting-then-known", 10, 1000, Noisy, 0.2, 0.95},
      {"waiting-then-unknown", 1, 1, Linear, 0.2, 0.95, false},
      {"unknown", 1, 1, Linear, 0, 0, false},
      {"unknown-counted-at-the-end", 10, 1000, Linear, 0, 0, true, false},
  };
  return families;
}

constexpr int kWaiting = -1;
constexpr int kRunning = 0;

TaskTrace Generate(const Family& family, int number, const TraceOptions& options, Random& random) {
  TaskTrace trace{family.name, absl::StrCat(family.name, "-", number), {}};
  const double length =
      random.LogUniform(absl::ToDoubleSeconds(options.min_length), absl::ToDoubleSeconds(options.max_length));
  const double waiting = length * random.Uniform(family.min_waiting, family.max_waiting);
  const int items = random.LogUniformInt(family.min_items, family.max_items);
  const Curve curve = family.curve(random, items);
  const int listed_at_first = family.total_grows ? 1 + static_cast<int>(items * random.Uniform(0.05, 0.6)) : items;
  // The total is right once half of the items are done.
  const auto total = [&](int done) {
    if (2 * done >= items) return items;
    return std::max(done, listed_at_first + (items - listed_at_first) * 2 * done / items);
  };
  // To the millisecond, as CSV files have it.
  const auto at = [](double seconds) { return absl::Milliseconds(std::llround(seconds * 1000)); };
  const auto add = [&](absl::Duration age, int status, int done) {
    TraceChange change{age, status, {}, {}};
    if (family.counts) {
      change.done_items = done;
      change.total_items = total(done);
    }
    if (!trace.changes.empty() && trace.changes.back().age == age) trace.changes.pop_back();
    trace.changes.push_back(change);
  };
  if (waiting > 0) add(absl::ZeroDuration(), kWaiting, 0);
  add(at(waiting), kRunning, 0);
  for (int done = 1; family.counts && family.moves && done <= items; ++done) {
    add(at(waiting + (length - waiting) * curve[done - 1]), kRunning, done);
  }
  // One in ten ends otherwise than well.
  add(at(length), random.Chance(0.9) ? 1 : 2, items);
  return trace;
}

}  // namespace

std::vector<TaskTrace> GenerateTraces(const TraceOptions& options) {
  std::vector<TaskTrace> traces;
  uint64_t family_number = 0;
  for (const Family& family : Families()) {
    Random random(options.seed * 1000 + ++family_number);
    for (int i = 0; i < options.tasks_per_family; ++i) traces.push_back(Generate(family, i, options, random));
  }
  return traces;
}

}  // namespace taskwatch
