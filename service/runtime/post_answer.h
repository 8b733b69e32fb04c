// Answers a caller in a later turn of the loop.
#ifndef TASKWATCH_SERVICE_RUNTIME_POST_ANSWER_H_
#define TASKWATCH_SERVICE_RUNTIME_POST_ANSWER_H_

#include <utility>

#include "service/runtime/event_loop.h"
#include "service/runtime/lifetime.h"

namespace taskwatch {

// Calls `done` with `answer` on the loop's thread, unless `lifetime` has ended by then. For functions that know the
// answer at once but promise not to call back before they return:
//
//   void GetToken(Done done) override { PostAnswer(loop_, lifetime_, std::move(done), token_); }
template <typename Done, typename Answer>
void PostAnswer(EventLoop* loop, const Lifetime& lifetime, Done done, Answer answer) {
  loop->Post(
      lifetime.Guard([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); }));
}

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RUNTIME_POST_ANSWER_H_
