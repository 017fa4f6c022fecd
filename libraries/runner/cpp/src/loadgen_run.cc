#include "loadgen_run.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "latencies.h"

namespace runner {
namespace {

// Whether a log has a text; whole, or in its last bytes only.
bool has(const std::string& path, const std::string& text, std::streamoff last) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return false;
  const std::streamoff size = file.tellg();
  file.seekg(last && size > last ? size - last : 0);
  std::string line;
  while (std::getline(file, line))
    if (line.find(text) != std::string::npos) return true;
  return false;
}

}  // namespace

void make_folder(const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    if (mkdir(path.substr(0, end).c_str(), 0777) && errno != EEXIST) throw cannot_write(path, errno);
    if (end == std::string::npos) break;
  }
  struct stat status{};
  if (stat(path.c_str(), &status)) throw cannot_write(path, errno);
  if (!S_ISDIR(status.st_mode)) throw cannot_write(path, ENOTDIR);
}

void run_loadgen(Sut& sut, Qsl& samples, const mlperf::TestSettings& settings, const std::string& folder) {
  make_folder(folder);
  const std::string details = folder + "/mlperf_log_detail.txt";
  // LoadGen aborts the process if it cannot open a log.
  const int fd = open(details.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) throw cannot_write(details, errno);
  close(fd);
  mlperf::LogSettings log;
  log.log_output.outdir = folder;
  log.enable_trace = false;
  mlperf::StartTest(&sut, &samples, settings, log, folder + "/audit.config");
  const bool complete = settings.mode == mlperf::TestMode::AccuracyOnly
                            ? has(folder + "/mlperf_log_accuracy.json", "]", 8)
                            : has(details, "\"result_validity\"", 0);
  if (complete) return;
  struct statvfs space{};
  if (!statvfs(folder.c_str(), &space) && space.f_bavail * space.f_frsize < 65536)
    throw cannot_write(folder, ENOSPC);
  throw Failure("log-incomplete", kOutput, "LoadGen could not write its logs in " + folder,
                "check whether the storage is full");
}

}  // namespace runner
