// Lets callbacks find out whether the object that they call still exists.
#ifndef TASKWATCH_SERVICE_RUNTIME_LIFETIME_H_
#define TASKWATCH_SERVICE_RUNTIME_LIFETIME_H_

#include <memory>
#include <utility>

namespace taskwatch {

// A member of an object that hands out callbacks which may outlive it:
//
//   class Fetcher {
//     void Begin() {
//       http_->Send(request, lifetime_.Guard([this](HttpResponse response) { OnAnswer(response); }));
//     }
//     const Lifetime lifetime_;  // the last member, so that it ends first
//   };
//
// The object must be destroyed on the thread on which the callbacks run. They may be moved and destroyed on any.
class Lifetime {
 public:
  // Looks at a Lifetime without keeping it. For a loop whose body may destroy the object that runs it.
  class Observer {
   public:
    explicit Observer(const Lifetime& lifetime) : token_(lifetime.token_) {}
    // Whether the Lifetime has been destroyed.
    bool ended() const { return token_.expired(); }

   private:
    std::weak_ptr<const bool> token_;
  };

  Lifetime() = default;
  Lifetime(const Lifetime&) = delete;
  Lifetime& operator=(const Lifetime&) = delete;

  // Calls `callback`, which returns nothing, with the same arguments; does nothing once this has been destroyed.
  template <typename Callback>
  auto Guard(Callback callback) const {
    return [observer = Observer(*this), callback = std::move(callback)](auto&&... arguments) mutable {
      if (!observer.ended()) callback(std::forward<decltype(arguments)>(arguments)...);
    };
  }

 private:
  const std::shared_ptr<const bool> token_ = std::make_shared<const bool>(true);
};

}  // namespace taskwatch

#endif  // TASKWATCH_SERVICE_RUNTIME_LIFETIME_H_
