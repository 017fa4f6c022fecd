#include "latencies.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "failure.h"

namespace runner {

Latencies& Latencies::of_process() {
  static Latencies one;
  return one;
}

void Latencies::add(std::int64_t nanoseconds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.push_back(nanoseconds);
}

std::size_t Latencies::count() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return values_.size();
}

void Latencies::begin(std::size_t expected) {
  const std::lock_guard<std::mutex> lock(mutex_);
  values_.clear();
  values_.reserve(expected);
  saved_ = 0;
}

void Latencies::save(const std::string& path) {
  std::vector<std::int64_t> fresh;
  std::size_t from = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    from = saved_;
    fresh.assign(values_.begin() + static_cast<std::ptrdiff_t>(saved_), values_.end());
  }
  append(path, fresh, from);
  const std::lock_guard<std::mutex> lock(mutex_);
  saved_ = from + fresh.size();
}

void append(const std::string& path, std::vector<std::int64_t>& values, std::size_t from) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  for (auto& value : values) value = static_cast<std::int64_t>(__builtin_bswap64(static_cast<std::uint64_t>(value)));
#endif
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) throw cannot_write(path, errno);
  const auto* data = reinterpret_cast<const char*>(values.data());
  std::size_t left = values.size() * sizeof(std::int64_t);
  auto place = static_cast<off_t>(from * sizeof(std::int64_t));
  int error = ftruncate(fd, place) ? errno : 0;
  while (left && !error) {
    const ssize_t written = pwrite(fd, data, left, place);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      error = errno;
      break;
    }
    data += written;
    place += written;
    left -= static_cast<std::size_t>(written);
  }
  close(fd);
  if (error) throw cannot_write(path, error);
}

Failure cannot_write(const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    return Failure("disk-full", kOutput, "no space left for " + path + "; LoadGen's logs are incomplete",
                   "free storage on the device");
  return Failure("output-unwritable", kOutput, "cannot write " + path + ": " + std::strerror(error),
                 "choose another folder");
}

}  // namespace runner
