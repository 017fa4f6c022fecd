#include "watch.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "answers.h"
#include "latencies.h"

namespace runner {
namespace {

constexpr long kTickNs = 250'000'000;
constexpr double kBeatS = 5.0;

sigset_t endings() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

Watch::Watch(Channel& channel, std::string latencies, std::string tokens)
    : channel_(channel), latencies_(std::move(latencies)), tokens_(std::move(tokens)), beat_(std::chrono::steady_clock::now()) {
  const sigset_t set = endings();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGHUP, SIG_IGN);  // the connection to the host may go
  signal(SIGPIPE, SIG_IGN);
  thread_ = std::thread([this] { work(); });
}

Watch::~Watch() {
  ended_ = true;
  thread_.join();
}

void Watch::phase(const std::string& name, std::size_t total, Count done, double min_s) {
  const std::lock_guard<std::mutex> lock(mutex_);
  phase_ = name;
  total_ = total;
  reported_ = 0;
  done_ = std::move(done);
  min_s_ = min_s;
  started_ = std::chrono::steady_clock::now();
  waiting_.clear();
  channel_.phase(name);
}

void Watch::begin_timed() {
  const std::lock_guard<std::mutex> lock(mutex_);
  save();
  witness_.begin(Latencies::of_process().count());
  timed_ = true;
}

nlohmann::json Watch::end_timed() {
  const std::lock_guard<std::mutex> lock(mutex_);
  timed_ = false;
  save();
  progress();
  return witness_.observations(Latencies::of_process().count());
}

void Watch::waiting(const std::string& what) {
  const std::lock_guard<std::mutex> lock(mutex_);
  waiting_ = what;
}

void Watch::save() {
  Latencies::of_process().save(latencies_);
  Answers::of_process().save(tokens_);
}

void Watch::work() {
  const sigset_t set = endings();
  const timespec tick{0, kTickNs};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    witness_.rest();
  }
  while (!ended_) {
    const bool asked = sigtimedwait(&set, nullptr, &tick) > 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (asked) cancel();
    try {
      look_at_input();
      this->tick();
    } catch (const std::exception& error) {
      channel_.abandon(as_failure(error));
    }
  }
}

void Watch::tick() {
  if (timed_) {
    witness_.look(Latencies::of_process().count());
    save();
  }
  progress();
  if (seconds_since(beat_) >= kBeatS) {
    beat_ = std::chrono::steady_clock::now();
    channel_.send({{"event", "heartbeat"}, {"phase", phase_}, {"waiting", waiting_}});
  }
  witness_.rest();
}

void Watch::progress() {
  if (!done_) return;
  const std::size_t done = done_();
  if (done == reported_) return;
  reported_ = done;
  const double elapsed = seconds_since(started_);
  double fraction = total_ ? std::min(1.0, static_cast<double>(done) / static_cast<double>(total_)) : 1.0;
  if (min_s_ > 0.0) fraction = std::min(fraction, elapsed / min_s_);
  nlohmann::json event = {{"event", "progress"}, {"phase", phase_},      {"done", done},      {"total", total_},
                          {"fraction", fraction}, {"elapsed_s", elapsed}, {"left_s", nullptr}};
  if (fraction > 0.0) event["left_s"] = elapsed * (1.0 - fraction) / fraction;
  channel_.send(std::move(event));
}

// The line `cancel` ends the run; the end of the input does not.
void Watch::look_at_input() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  while (input_open_ && poll(&input, 1, 0) > 0) {
    char text[256];
    const ssize_t got = read(STDIN_FILENO, text, sizeof text);
    if (got <= 0) {
      input_open_ = false;
      return;
    }
    input_.append(text, static_cast<std::size_t>(got));
    if (input_.find("cancel\n") != std::string::npos) cancel();
    if (input_.size() > 4096) input_.erase(0, input_.size() - 16);
  }
}

void Watch::cancel() {
  try {
    if (timed_) save();
  } catch (const std::exception&) {  // what was saved before is kept
  }
  _exit(kInterrupted);
}

}  // namespace runner
