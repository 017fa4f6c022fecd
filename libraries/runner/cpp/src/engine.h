// The interface of an engine: a model loaded by a runtime, ready for one sample at a time or a batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "plan.h"
#include "tensor.h"

namespace runner {

// Inputs begin at multiples of this in memory.
constexpr std::size_t kAlignment = 64;

class Engine {
 public:
  virtual ~Engine() = default;

  // The tensors of one sample.
  virtual const Tensors& inputs() const = 0;
  virtual const Tensors& outputs() const = 0;

  // Timed: the inference of `count` samples, from inputs in memory to outputs in memory. `samples[i]` is the memory of
  // a sample, with its inputs at the offsets of Layout(inputs(), kAlignment). Throws Failure.
  virtual void run(const std::uint8_t* const* samples, std::size_t count) = 0;

  // An output of the last run, until the next one.
  virtual const std::uint8_t* output(std::size_t slot, std::size_t index) const = 0;

  // What it has to say about its runs; null if nothing.
  virtual nlohmann::json report() const { return nullptr; }
};

// A runtime with a model, from which sessions are made.
class Runtime {
 public:
  virtual ~Runtime() = default;

  // {"runtime": "litert", "versions": {...}} and what else it has to say.
  virtual nlohmann::json facts() const = 0;

  // Where the model runs, as far as the runtime says it.
  virtual nlohmann::json placement() const = 0;

  // Loads the model; throws Failure.
  virtual std::unique_ptr<Engine> load() = 0;
};

// The runtime that a plan names. For `describe`, a plan may lack the tensors.
// Throws Failure: runner-engine, runner-option, runner-library, runner-symbol.
std::unique_ptr<Runtime> open_runtime(const Plan& plan);

// The names of all engines in this build.
nlohmann::json engine_names();

std::unique_ptr<Runtime> open_dummy(const Plan& plan);
std::unique_ptr<Runtime> open_litert(const Plan& plan);
std::unique_ptr<Runtime> open_mma(const Plan& plan);
std::unique_ptr<Runtime> open_nnapi(const Plan& plan);

}  // namespace runner
