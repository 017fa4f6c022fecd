// The sessions of a run: loaded models, each for one thread, and what is called outside of the timed run.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine.h"
#include "generator.h"
#include "plan.h"
#include "samples.h"

namespace runner {

using Indices = std::vector<std::size_t>;

// Runs `work` for each session in a thread of its own, and waits for all; the first failure is thrown again.
// The threads are kept for the next call. To be called by one thread only.
void in_threads(std::size_t count, const std::function<void(std::size_t session)>& work);

// One call of a session, with the outputs that it gave.
struct Answered {
  Indices indices;
  std::vector<std::uint8_t> outputs;
};

class Sessions {
 public:
  // Throws Failure: what the runtime raises, and model-tensors if a tensor is not the plan's.
  Sessions(Runtime& runtime, const Plan& plan);

  std::size_t count() const { return engines_.size(); }
  Engine& at(std::size_t session) const { return *engines_[session]; }
  const Engine& first() const { return *engines_[0]; }
  // Null if it is no language model.
  Generator* generator(std::size_t session) const { return generators_.empty() ? nullptr : generators_[session]; }

  // How the sessions of a language model generate from now on; nothing for others.
  void use(const Generation& how);

  // Runs every session for a while; returns the nanoseconds of the best call, so that LoadGen prepares enough queries.
  // With `whole`, for a single query with all samples, whose number LoadGen derives from their rate, language models also
  // answer some prompts completely; returned is half the average if that is more, as by mlperf_mobile.worker.token_checks.
  // Outputs must not depend on earlier calls.
  double warm_up(const SampleStore& store, const Indices& samples, double seconds, bool whole, std::size_t& calls);

  // Runs a call again; false if its outputs differ. The outputs of the last run are copied with `outputs_of`.
  bool same(std::size_t session, const SampleStore& store, const Answered& answered) const;
  std::vector<std::uint8_t> outputs_of(std::size_t session, std::size_t count) const;

 private:
  std::vector<std::uint8_t> answer(std::size_t session, const SampleStore& store, const Indices& indices) const;

  const std::size_t batch_;
  const bool exact_;
  std::vector<std::unique_ptr<Engine>> engines_;
  std::vector<Generator*> generators_;  // the same, of a language model
};

// Throws Failure: model-tensors: the model's tensors are not what the host's task was bound to.
void compare(const Tensors& model, const Tensors& plan, const char* kind);

}  // namespace runner
