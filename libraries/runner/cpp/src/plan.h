// The runner-plan: what to run, as the host wrote it. Flat JSON with a version; an unknown field is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tensor.h"

namespace runner {

constexpr int kPlanVersion = 1;

struct SampleFile {
  std::string path;
  std::vector<std::uint64_t> indices;  // the samples of its records, in their order
};

struct Performance {
  nlohmann::json settings;
  double expected_latency_ns = 0.0;  // 0 if not known
  double expected_floor_ns = 1.0;
  std::uint64_t total = 0;
  std::uint64_t count = 0;
  std::vector<SampleFile> samples;
  std::vector<std::uint64_t> warm_up;
  std::string logs;
};

struct Chunk {
  std::string path;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

struct Accuracy {
  nlohmann::json settings;
  std::uint64_t total = 0;
  std::vector<Chunk> chunks;
  bool wait = false;
  double wait_s = 600.0;  // 0 waits for ever
  std::string outputs;
  std::uint64_t most_waiting = 0;  // 0 is no limit
  std::string logs;
};

// How a language model generates in one mode.
struct Generation {
  std::size_t most = 0;  // tokens of an answer
  std::vector<std::int32_t> stops;
};

struct Generations {
  std::size_t context = 0;  // tokens of a prompt and its answer
  Generation performance, accuracy;
};

struct Plan {
  std::string engine;
  std::string library;
  std::string model;
  nlohmann::json options;
  int sessions = 1;
  int batch = 1;
  Tensors inputs;
  Tensors outputs;
  std::optional<Generations> generations;  // of a language model: see generator.h
  double warm_up_s = 0.0;
  bool exact = true;
  bool has_performance = false;
  bool has_accuracy = false;
  Performance performance;
  Accuracy accuracy;
};

// Reads and checks a plan; for `describe`, only what is needed to load a model is required.
// Throws Failure: runner-plan, runner-version.
Plan read_plan(const std::string& path, bool describe);

}  // namespace runner
