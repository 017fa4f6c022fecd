// Interruptions of the timed run: gaps, suspends, clock jumps, waiting for a processor. As mlperf_mobile.worker.witness.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace runner {

class Witness {
 public:
  // Now begins the part to watch; `count` is the number of answered samples.
  void begin(std::size_t count);
  // Samples the clocks; call a few times a second from a thread that is not timed.
  void look(std::size_t count);
  // The thread that looks sleeps from now on: what it did since it looked, such as writing a file, is no gap.
  void rest();
  nlohmann::json observations(std::size_t count);

 private:
  struct Clocks {
    double monotonic, wall, boot, processor, reading;
  };
  using Waiting = std::map<std::string, std::pair<double, double>>;  // by thread: ns that it ran, and waited
  static Clocks clocks();
  static Waiting waiting();
  // What a thread has waited for a processor.
  struct Waited {
    int thread = 0;
    double seconds = -1.0;  // negative if unknown
  };
  static Waited waited();
  void compare(const Clocks& now);
  static void note(nlohmann::json& found, const Clocks& before, const Clocks& now, double what);

  std::size_t count_ = 0;
  double from_ = 0.0, until_ = 0.0;
  Clocks last_{}, compared_{};
  Waited waited_;  // when the thread that looks went to sleep
  Waiting waiting_;
  nlohmann::json gaps_, suspends_, jumps_;
};

}  // namespace runner
