// A thread that reports progress, saves latencies and tokens as they grow, and ends the run when the host or a signal says so.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "channel.h"
#include "witness.h"

namespace runner {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Watch {
 public:
  using Count = std::function<std::size_t()>;

  // Blocks the signals that end a run, in this thread and those it starts; call before any other thread exists.
  Watch(Channel& channel, std::string latencies, std::string tokens);
  ~Watch();

  // Announces a phase. Its progress is `done` out of `total`, and at least `min_s` seconds from now.
  void phase(const std::string& name, std::size_t total = 0, Count done = {}, double min_s = 0.0);

  // From now on latencies and the tokens of answers are saved, and interruptions are looked for.
  void begin_timed();
  // Saves the rest of the latencies, and returns what interrupted the run.
  nlohmann::json end_timed();

  // What the run waits for, for heartbeats; empty when it works.
  void waiting(const std::string& what);

 private:
  void save();
  void work();
  void tick();
  void progress();
  void look_at_input();
  [[noreturn]] void cancel();

  Channel& channel_;
  const std::string latencies_, tokens_;
  std::mutex mutex_;  // guards all below
  std::string phase_, waiting_;
  std::size_t total_ = 0, reported_ = 0;
  Count done_;
  double min_s_ = 0.0;
  std::chrono::steady_clock::time_point started_, beat_;
  bool timed_ = false, input_open_ = true;
  std::string input_;
  Witness witness_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace runner
