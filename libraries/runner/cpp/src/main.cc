// mlperf-mobile-runner: runs one runner-plan with LoadGen, without Python.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "accuracy.h"
#include "channel.h"
#include "engine.h"
#include "latencies.h"
#include "memory.h"
#include "performance.h"
#include "plan.h"
#include "sessions.h"
#include "watch.h"

namespace runner {
namespace {

constexpr const char* kUsageText =
    "usage: mlperf-mobile-runner --plan FILE [--directory DIR] [--events FILE | --events-fd N] [--describe]\n"
    "       mlperf-mobile-runner --version\n";
constexpr int kOutOfTheWay = 64;  // libraries that close guessed descriptors rarely reach these

struct Arguments {
  std::string plan, directory = ".", events = "events.jsonl";
  int events_fd = -1;
  bool version = false, describe = false;
};

Arguments parsed(int count, char** values) {
  Arguments found;
  const auto wrong = [](const std::string& what) {
    throw Failure("runner-arguments", kUsage, what, "see mlperf-mobile-runner --help");
  };
  for (int i = 1; i < count; ++i) {
    const std::string name = values[i];
    if (name == "--version") {
      found.version = true;
    } else if (name == "--describe") {
      found.describe = true;
    } else if (name == "--plan" || name == "--directory" || name == "--events" || name == "--events-fd") {
      if (++i == count) wrong(name + " lacks its value");
      const std::string value = values[i];
      if (name == "--plan") found.plan = value;
      if (name == "--directory") found.directory = value;
      if (name == "--events") found.events = value;
      if (name == "--events-fd") {
        char* end = nullptr;
        const long number = std::strtol(value.c_str(), &end, 10);
        if (value.empty() || *end || number < 0 || number > 65535) wrong("--events-fd " + value + " is not a descriptor");
        found.events_fd = static_cast<int>(number);
      }
    } else {
      wrong("unknown argument " + name);
    }
  }
  if (!found.version && found.plan.empty()) wrong("--plan is missing");
  return found;
}

std::string machine() {
  utsname found{};
  return uname(&found) ? "unknown" : found.machine;
}

nlohmann::json version() {
#ifdef __ANDROID__
  const char* system = "android";
#else
  const char* system = "linux";
#endif
  return {{"runner", RUNNER_VERSION}, {"plan", kPlanVersion},       {"abi", RUNNER_ABI}, {"os", system},
          {"engines", engine_names()}, {"loadgen", LOADGEN_VERSION}};
}

// The files that the loader mapped to execute, as the kernel lists them.
nlohmann::json libraries() {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    const auto flags = line.find(' ');
    if (path != std::string::npos && flags != std::string::npos && line.size() > flags + 3 && line[flags + 3] == 'x')
      found.insert(line.substr(path));
  }
  return found;
}

std::string absolute(const std::string& path) {
  char* found = realpath(path.c_str(), nullptr);
  if (!found) return path;
  std::string whole = found;
  free(found);
  return whole;
}

int describe(const Plan& plan) {
  const auto runtime = open_runtime(plan);
  nlohmann::json found;
  if (!plan.model.empty() || plan.engine == "dummy") {
    const auto engine = runtime->load();
    found["inputs"] = as_json(engine->inputs());
    found["outputs"] = as_json(engine->outputs());
    found["placement"] = runtime->placement();
  }
  found.update(runtime->facts());
  std::printf("%s\n", found.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  return std::fflush(stdout) ? kOutput : kOk;
}

void run(const Plan& plan, Channel& channel, Watch& watch) {
  watch.phase("load");
  const auto start = std::chrono::steady_clock::now();
  const auto runtime = open_runtime(plan);
  Sessions sessions(*runtime, plan);
  const double load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  nlohmann::json facts = runtime->facts();
  facts["version"] = RUNNER_VERSION;
  facts["abi"] = RUNNER_ABI;
  facts["machine"] = machine();
  facts["os"] = version()["os"];
  facts["loadgen"] = LOADGEN_VERSION;
  facts["engine"] = plan.engine;
  facts["sessions"] = plan.sessions;
  facts["batch"] = plan.batch;
  facts["inputs"] = as_json(sessions.first().inputs());
  facts["outputs"] = as_json(sessions.first().outputs());
  facts["options"] = plan.options;
  facts["load_s"] = load_s;
  facts["peak_bytes"] = peak_bytes();
  facts["timed_region"] = "inference";
  facts.erase("mma_settings");
  channel.measured("runner", facts);
  channel.measured("runner_placement", runtime->placement());
  channel.measured("runner_libraries", libraries());
  if (plan.has_performance) measure_performance(plan, sessions, channel, watch);
  if (plan.has_accuracy) measure_accuracy(plan, sessions, channel, watch);
}

int main_of(int count, char** values) {
  Arguments arguments;
  try {
    for (int i = 1; i < count; ++i) {
      if (std::string(values[i]) == "--help") return std::fputs(kUsageText, stdout) < 0 ? kOutput : kOk;
    }
    arguments = parsed(count, values);
    if (arguments.version) return std::printf("%s\n", version().dump().c_str()) < 0 ? kOutput : kOk;
    arguments.plan = absolute(arguments.plan);
    if (chdir(arguments.directory.c_str()))
      throw cannot_write(arguments.directory, errno);
  } catch (const Failure& failure) {
    std::fprintf(stderr, "error[%s]: %s; %s\n", failure.code.c_str(), failure.summary.c_str(), failure.hint.c_str());
    if (arguments.events_fd >= 0) Channel(arguments.events_fd).failed(failure);
    return failure.exit;
  }
  if (arguments.describe) {
    Channel output(STDOUT_FILENO);
    try {
      return describe(read_plan(arguments.plan, true));
    } catch (const std::exception& error) {
      output.abandon(as_failure(error));
    }
  }
  int events = arguments.events_fd;
  if (events < 0) events = open(arguments.events.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  const int fd = events < 0 ? -1 : fcntl(events, F_DUPFD_CLOEXEC, kOutOfTheWay);
  if (fd < 0) {
    std::fprintf(stderr, "error[output-unwritable]: cannot write events: %s\n", std::strerror(errno));
    return kOutput;
  }
  close(events);
  Channel channel(fd);
  try {
    Watch watch(channel, "latencies.bin", "tokens.bin");
    try {
      run(read_plan(arguments.plan, false), channel, watch);
    } catch (const std::exception& error) {
      channel.abandon(as_failure(error));
    }
    channel.send({{"event", "ended"}});
    _exit(kOk);  // threads of vendors' libraries must not run destructors
  } catch (const std::exception& error) {
    channel.abandon(as_failure(error));
  }
}

}  // namespace
}  // namespace runner

int main(int count, char** values) {
  const int code = runner::main_of(count, values);
  std::fflush(stdout);
  return code;
}
