#include "channel.h"

#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace runner {

double seconds_since_1970() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Channel::send(nlohmann::json fields) {
  fields["time"] = seconds_since_1970();
  // A vendor's text may have bytes that are not UTF-8.
  std::string line = fields.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const std::lock_guard<std::mutex> lock(mutex_);
  const char* data = line.data();
  std::size_t left = line.size();
  while (left) {
    const ssize_t written = write(fd_, data, left);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // Without events nobody learns of the run. A full disk ends it as well.
      _exit(errno == EPIPE ? kOk : kOutput);
    }
    data += written;
    left -= static_cast<std::size_t>(written);
  }
}

void Channel::phase(const std::string& name) { send({{"event", "phase"}, {"name", name}, {"step", ""}}); }

void Channel::measured(const std::string& part, nlohmann::json value) {
  send({{"event", "measured"}, {"part", part}, {"value", std::move(value)}});
}

void Channel::failed(const Failure& failure) {
  send({{"event", "failed"},
        {"code", failure.code},
        {"summary", failure.summary},
        {"hint", failure.hint},
        {"exit_code", static_cast<int>(failure.exit)},
        {"trace", ""}});
}

void Channel::abandon(const Failure& failure) {
  failed(failure);
  _exit(failure.exit);
}

Failure as_failure(const std::exception& error) {
  if (const auto* failure = dynamic_cast<const Failure*>(&error)) return *failure;
  if (dynamic_cast<const std::bad_alloc*>(&error))
    return Failure("out-of-memory", kInternal, "the run needs more memory than is available",
                   "lower performance_sample_count");
  return Failure("internal", kInternal, std::string("the runner failed: ") + error.what(), "see worker.log");
}

}  // namespace runner
