#include "witness.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>

namespace runner {
namespace {

constexpr double kGap = 1.0, kJump = 0.05, kSuspend = 0.05, kReading = 0.001, kBusy = 0.1;
constexpr std::size_t kMost = 1000;

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

Witness::Clocks Witness::clocks() {
  Clocks now{};
  now.monotonic = seconds(CLOCK_MONOTONIC);
  now.wall = seconds(CLOCK_REALTIME);
  now.boot = seconds(CLOCK_BOOTTIME);
  now.reading = seconds(CLOCK_MONOTONIC) - now.monotonic;
  now.processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
  return now;
}

Witness::Waiting Witness::waiting() {
  Waiting found;
  DIR* tasks = opendir("/proc/self/task");
  if (!tasks) return found;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    std::ifstream file(std::string("/proc/self/task/") + task->d_name + "/schedstat");
    double ran = 0.0, waited = 0.0;
    if (file >> ran >> waited) found[task->d_name] = {ran, waited};
  }
  closedir(tasks);
  return found;
}

void Witness::begin(std::size_t count) {
  count_ = count;
  last_ = compared_ = clocks();
  from_ = until_ = last_.monotonic;
  waiting_ = waiting();
  gaps_ = suspends_ = jumps_ = nlohmann::json::array();
}

void Witness::look(std::size_t count) {
  const Clocks now = clocks();
  const double passed = now.monotonic - last_.monotonic;
  if (passed > kGap) {
    const Waited own = waited();  // a thread that came late because it waited for a processor proves nothing
    const bool known = own.thread == waited_.thread && own.seconds >= 0.0 && waited_.seconds >= 0.0;
    const bool waited = !known || own.seconds - waited_.seconds > kBusy * passed;
    note(gaps_, last_, now, !waited && now.processor - last_.processor < kBusy * passed ? 1.0 : 0.0);
  }
  if (now.reading < kReading) compare(now);
  if (count != count_) {
    count_ = count;
    until_ = now.monotonic;
  }
  last_ = now;
}

void Witness::rest() {
  last_ = clocks();
  waited_ = waited();
}

// Of the calling thread: /proc/[pid]/task/[tid]/schedstat.
Witness::Waited Witness::waited() {
  Waited found;
  found.thread = static_cast<int>(syscall(SYS_gettid));
  std::ifstream file("/proc/self/task/" + std::to_string(found.thread) + "/schedstat");
  double ran = 0.0, waited = 0.0;
  if (file >> ran >> waited) found.seconds = 1e-9 * waited;
  return found;
}

void Witness::compare(const Clocks& now) {
  const double passed = now.monotonic - compared_.monotonic;
  const double asleep = now.boot - compared_.boot - passed;
  if (asleep > kSuspend) note(suspends_, compared_, now, asleep);
  const double jump = now.wall - compared_.wall - passed - (asleep > kSuspend ? asleep : 0.0);
  if (std::fabs(jump) > std::max(kJump, 0.0005 * passed)) note(jumps_, compared_, now, jump);
  compared_ = now;
}

nlohmann::json Witness::observations(std::size_t count) {
  look(count);
  const Waiting after = waiting();
  double ran = 0.0, waited = 0.0;
  for (const auto& [task, now] : after) {
    const auto before = waiting_.find(task);
    ran += std::max(0.0, now.first - (before == waiting_.end() ? 0.0 : before->second.first));
    waited += std::max(0.0, now.second - (before == waiting_.end() ? 0.0 : before->second.second));
  }
  nlohmann::json found = {{"from", from_},         {"until", until_}, {"gaps", gaps_},
                          {"suspends", suspends_}, {"jumps", jumps_}, {"waiting", nullptr},
                          {"gaps_prove", true}};
  if (!waiting_.empty() && !after.empty()) found["waiting"] = ran + waited > 0.0 ? waited / (ran + waited) : 0.0;
  return found;
}

void Witness::note(nlohmann::json& found, const Clocks& before, const Clocks& now, double what) {
  if (found.size() < kMost) found.push_back({before.monotonic, now.monotonic, what});
}

}  // namespace runner
