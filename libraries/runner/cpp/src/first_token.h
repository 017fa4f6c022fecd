// Receives a library's reports of first tokens, and issues queries so that they are passed on in the caller's thread:
// LoadGen loses what other threads report about a query.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

namespace runner {

class FirstTokens {
 public:
  // Issues a query, with what the library calls for its first token, and the argument of that call.
  using Issue = std::function<void(void (*)(void*), void*)>;
  using Tell = std::function<void()>;

  struct Calls {
    std::size_t count = 0;
    bool foreign = false;  // the first one came in another thread than that of `here`, so `tell` was not called
  };

  // The only one: a library may call after its model is gone.
  static FirstTokens& of_process();

  // Runs `issue` in this thread, with what a library calls for the first token.
  void here(const Issue& issue, const Tell& tell);
  // Runs `issue` in a thread of its own, and calls `tell` in this one, when the library has called in any.
  void elsewhere(const Issue& issue, const Tell& tell);
  // The query is over: calls are late from now on.
  Calls over();
  // Calls for queries that were over, since this was asked last.
  std::size_t late();

 private:
  void* begin(std::thread::id thread, const Tell& tell);
  static void called(void* context);
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<char, 4096> marks_{};  // each query has a context of its own, which tells late calls apart
  std::size_t query_ = 0, calls_ = 0, late_ = 0;
  void* context_ = nullptr;
  std::thread::id thread_;  // where `tell` may be called; none if another thread waits for the call
  const Tell* tell_ = nullptr;
  bool foreign_ = false, working_ = false;
  const Issue* job_ = nullptr;
};

}  // namespace runner
