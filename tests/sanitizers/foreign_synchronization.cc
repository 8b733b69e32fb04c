// Shows ThreadSanitizer the locks and hand-overs of libraries that are not instrumented: Abseil's and gRPC's, as Debian
// builds them. Without it every access that they order would be reported as a race.
//
// Linked into each program of --config=tsan (see .bazelrc) and into nothing else. That configuration uses the shared
// libraries, and what is defined here takes the place of the same function in them, also for calls from one library to
// another. Each function tells ThreadSanitizer what it does and calls the library's own.
//
// The functions are written as C++ sees them, so that the compiler makes their names. When a library has another
// signature, this does not compile (Abseil's, grpc::Alarm's), or ends the program at its first use (gRPC's internal
// ones, declared here).
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <sanitizer/tsan_interface.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

// Of gRPC's src/core/lib/surface/completion_queue.h, which is not installed.
struct grpc_cq_completion;
bool grpc_cq_begin_op(grpc_completion_queue* queue, void* tag);
void grpc_cq_end_op(grpc_completion_queue* queue, void* tag, absl::Status error,
                    void (*done)(void* done_arg, grpc_cq_completion* storage), void* done_arg,
                    grpc_cq_completion* storage, bool internal);

namespace {

// The function that `own` stands in for, a function or a member function of this file. `Signature` is that of a
// function; a member's has the object in front, as in the C++ ABI of all our machines.
template <typename Signature, typename Function>
Signature* LibrarysOwn(Function own) {
  void* address = nullptr;
  std::memcpy(&address, &own, sizeof(address));
  Dl_info here = {};
  void* const next =
      dladdr(address, &here) != 0 && here.dli_sname != nullptr ? dlsym(RTLD_NEXT, here.dli_sname) : nullptr;
  if (next == nullptr) {
    std::fprintf(stderr, "foreign_synchronization.cc: no library has %s; see the file's head\n",
                 here.dli_sname != nullptr ? here.dli_sname : "a function that it defines");
    std::abort();
  }
  return reinterpret_cast<Signature*>(next);
}

// What absl::Mutex and its friends do, in the library. Its functions with a timeout call those with a deadline, also
// here.
struct Abseil {
  using M = absl::Mutex;
  using C = absl::CondVar;
  using N = absl::Notification;
  using Condition = const absl::Condition&;

  void (*const lock)(M*) = LibrarysOwn<void(M*)>(&M::Lock);
  void (*const unlock)(M*) = LibrarysOwn<void(M*)>(&M::Unlock);
  bool (*const try_lock)(M*) = LibrarysOwn<bool(M*)>(&M::TryLock);
  void (*const reader_lock)(M*) = LibrarysOwn<void(M*)>(&M::ReaderLock);
  void (*const reader_unlock)(M*) = LibrarysOwn<void(M*)>(&M::ReaderUnlock);
  bool (*const reader_try_lock)(M*) = LibrarysOwn<bool(M*)>(&M::ReaderTryLock);
  void (*const lock_when)(M*, Condition) = LibrarysOwn<void(M*, Condition)>(&M::LockWhen);
  bool (*const lock_when_with_deadline)(M*, Condition, absl::Time) =
      LibrarysOwn<bool(M*, Condition, absl::Time)>(&M::LockWhenWithDeadline);
  void (*const reader_lock_when)(M*, Condition) = LibrarysOwn<void(M*, Condition)>(&M::ReaderLockWhen);
  bool (*const reader_lock_when_with_deadline)(M*, Condition, absl::Time) =
      LibrarysOwn<bool(M*, Condition, absl::Time)>(&M::ReaderLockWhenWithDeadline);
  void (*const await)(M*, Condition) = LibrarysOwn<void(M*, Condition)>(&M::Await);
  bool (*const await_with_deadline)(M*, Condition,
                                    absl::Time) = LibrarysOwn<bool(M*, Condition, absl::Time)>(&M::AwaitWithDeadline);
  void (*const wait)(C*, M*) = LibrarysOwn<void(C*, M*)>(&C::Wait);
  bool (*const wait_with_deadline)(C*, M*, absl::Time) = LibrarysOwn<bool(C*, M*, absl::Time)>(&C::WaitWithDeadline);
  void (*const notify)(N*) = LibrarysOwn<void(N*)>(&N::Notify);
  void (*const wait_for)(const N*) = LibrarysOwn<void(const N*)>(&N::WaitForNotification);
  bool (*const wait_for_with_timeout)(const N*, absl::Duration) =
      LibrarysOwn<bool(const N*, absl::Duration)>(&N::WaitForNotificationWithTimeout);
  bool (*const wait_for_with_deadline)(const N*, absl::Time) =
      LibrarysOwn<bool(const N*, absl::Time)>(&N::WaitForNotificationWithDeadline);
};

const Abseil& abseil() {
  static const Abseil functions;
  return functions;
}

// The same for gRPC; apart, since not every program uses it.
struct Grpc {
  decltype(&grpc_cq_begin_op) begin_op = LibrarysOwn<decltype(grpc_cq_begin_op)>(&grpc_cq_begin_op);
  decltype(&grpc_cq_end_op) end_op = LibrarysOwn<decltype(grpc_cq_end_op)>(&grpc_cq_end_op);
  decltype(&grpc_completion_queue_next) next =
      LibrarysOwn<decltype(grpc_completion_queue_next)>(&grpc_completion_queue_next);
  decltype(&grpc_completion_queue_pluck) pluck =
      LibrarysOwn<decltype(grpc_completion_queue_pluck)>(&grpc_completion_queue_pluck);
};

const Grpc& grpc_core() {
  static const Grpc functions;
  return functions;
}

// While one exists, the mutex is being locked; it is locked afterwards. Accesses in between are not looked at: they are
// conditions, which other threads evaluate as well, while they hold the mutex.
class Locking {
 public:
  explicit Locking(absl::Mutex* mutex, unsigned flags = 0) : mutex_(mutex), flags_(flags) {
    __tsan_mutex_pre_lock(mutex_, flags_);
  }
  ~Locking() { __tsan_mutex_post_lock(mutex_, flags_, 0); }

  // Whether an attempt has succeeded.
  bool Succeeded(bool locked) {
    if (!locked) flags_ |= __tsan_mutex_try_lock_failed;
    return locked;
  }

 private:
  absl::Mutex* const mutex_;
  unsigned flags_;
};

// While one exists, the mutex is being unlocked.
class Unlocking {
 public:
  explicit Unlocking(absl::Mutex* mutex, unsigned flags = 0) : mutex_(mutex), flags_(flags) {
    __tsan_mutex_pre_unlock(mutex_, flags_);
  }
  ~Unlocking() { __tsan_mutex_post_unlock(mutex_, flags_); }

 private:
  absl::Mutex* const mutex_;
  const unsigned flags_;
};

// While one exists, signals go to other threads. ThreadSanitizer runs the handler of a signal that comes while a
// library waits only after that wait, which may be never; gRPC's threads wait in what it knows.
class SignalsElsewhere {
 public:
  SignalsElsewhere() {
    sigset_t signals;
    sigfillset(&signals);
    for (const int fault : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP}) sigdelset(&signals, fault);
    // Without a handler they end the process: a second Ctrl-C must not wait until taskwatchd has drained.
    for (const int signal : {SIGINT, SIGTERM}) {
      struct sigaction action = {};
      if (sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_DFL) sigdelset(&signals, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsElsewhere() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

// The same as Locking, where the thread may have to wait for something to happen first.
class LockingWhen {
 public:
  explicit LockingWhen(absl::Mutex* mutex, unsigned flags = 0) : locking_(mutex, flags) {}

 private:
  const SignalsElsewhere signals_elsewhere_;
  const Locking locking_;
};

// While one exists, the mutex, held for writing, is given up and taken again.
class Waiting {
 public:
  explicit Waiting(absl::Mutex* mutex) {
    { const Unlocking unlocking(mutex); }
    locking_.emplace(mutex);
  }

 private:
  std::optional<LockingWhen> locking_;
};

grpc_event Arrived(grpc_event event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // namespace

// Read by ThreadSanitizer; TSAN_OPTIONS come on top. What a library does that is not instrumented is its own affair,
// and so are gRPC's threads that it does not join (one of ours ends the process when it is not joined).
extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1:report_thread_leaks=0"; }

namespace absl {
ABSL_NAMESPACE_BEGIN

// A destructor's address cannot be taken. The library's own does this, and drops what EnableDebugLog has remembered.
Mutex::~Mutex() {
  ForgetDeadlockInfo();
  __tsan_mutex_destroy(this, __tsan_mutex_not_static);
}

void Mutex::Lock() {
  const Locking locking(this);
  abseil().lock(this);
}

void Mutex::Unlock() {
  const Unlocking unlocking(this);
  abseil().unlock(this);
}

bool Mutex::TryLock() {
  Locking locking(this, __tsan_mutex_try_lock);
  return locking.Succeeded(abseil().try_lock(this));
}

void Mutex::ReaderLock() {
  const Locking locking(this, __tsan_mutex_read_lock);
  abseil().reader_lock(this);
}

void Mutex::ReaderUnlock() {
  const Unlocking unlocking(this, __tsan_mutex_read_lock);
  abseil().reader_unlock(this);
}

bool Mutex::ReaderTryLock() {
  Locking locking(this, __tsan_mutex_try_read_lock);
  return locking.Succeeded(abseil().reader_try_lock(this));
}

void Mutex::LockWhen(const Condition& condition) {
  const LockingWhen locking(this);
  abseil().lock_when(this, condition);
}

bool Mutex::LockWhenWithDeadline(const Condition& condition, absl::Time deadline) {
  const LockingWhen locking(this);
  return abseil().lock_when_with_deadline(this, condition, deadline);
}

void Mutex::ReaderLockWhen(const Condition& condition) {
  const LockingWhen locking(this, __tsan_mutex_read_lock);
  abseil().reader_lock_when(this, condition);
}

bool Mutex::ReaderLockWhenWithDeadline(const Condition& condition, absl::Time deadline) {
  const LockingWhen locking(this, __tsan_mutex_read_lock);
  return abseil().reader_lock_when_with_deadline(this, condition, deadline);
}

void Mutex::Await(const Condition& condition) {
  const Waiting waiting(this);
  abseil().await(this, condition);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, absl::Time deadline) {
  const Waiting waiting(this);
  return abseil().await_with_deadline(this, condition, deadline);
}

void CondVar::Wait(Mutex* mutex) {
  const Waiting waiting(mutex);
  abseil().wait(this, mutex);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, absl::Time deadline) {
  const Waiting waiting(mutex);
  return abseil().wait_with_deadline(this, mutex, deadline);
}

// HasBeenNotified is inline, and instrumented where it is used: it acquires at `notified_yet_`, and so do the others.
void Notification::Notify() {
  __tsan_release(&notified_yet_);
  abseil().notify(this);
}

void Notification::WaitForNotification() const {
  abseil().wait_for(this);
  __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
}

bool Notification::WaitForNotificationWithTimeout(absl::Duration timeout) const {
  const bool notified = abseil().wait_for_with_timeout(this, timeout);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

bool Notification::WaitForNotificationWithDeadline(absl::Time deadline) const {
  const bool notified = abseil().wait_for_with_deadline(this, deadline);
  if (notified) __tsan_acquire(const_cast<std::atomic<bool>*>(&notified_yet_));
  return notified;
}

ABSL_NAMESPACE_END
}  // namespace absl

// An operation's tag carries all that came before its begin to its end, and from there to where its tag comes out of
// the queue. The callback API has no such place: there the end runs the callback, or hands it to a thread of gRPC's
// under one of its mutexes.
bool grpc_cq_begin_op(grpc_completion_queue* queue, void* tag) {
  __tsan_release(tag);
  return grpc_core().begin_op(queue, tag);
}

void grpc_cq_end_op(grpc_completion_queue* queue, void* tag, absl::Status error,
                    void (*done)(void* done_arg, grpc_cq_completion* storage), void* done_arg,
                    grpc_cq_completion* storage, bool internal) {
  __tsan_acquire(tag);
  __tsan_release(tag);
  grpc_core().end_op(queue, tag, std::move(error), done, done_arg, storage, internal);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline, void* reserved) {
  return Arrived(grpc_core().next(queue, deadline, reserved));
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag, gpr_timespec deadline, void* reserved) {
  return Arrived(grpc_core().pluck(queue, tag, deadline, reserved));
}
