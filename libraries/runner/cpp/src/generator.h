// The interface of an engine of a language model: a sample is a prompt, and its output is the answer.
//
// Both are records of int32: the number of tokens, the token ids, and zeros up to the size of the plan's tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "answers.h"
#include "engine.h"
#include "plan.h"

namespace runner {

class Generator : public Engine {
 public:
  // `context` is the model's own. Throws Failure: model-tensors: it is not the plan's; runner-plan.
  Generator(const Plan& plan, std::size_t context);

  const Tensors& inputs() const final { return inputs_; }
  const Tensors& outputs() const final { return outputs_; }
  void run(const std::uint8_t* const* samples, std::size_t count) final;
  const std::uint8_t* output(std::size_t, std::size_t) const final {
    return reinterpret_cast<const std::uint8_t*>(answer_.data());
  }

  // How it generates from now on.
  void use(const Generation& how) { how_ = how; }
  // Answers have at most this many tokens from now on; 0: as many as `use` said.
  void limit(std::size_t most) { most_ = most ? most : std::numeric_limits<std::size_t>::max(); }
  // Called by `run` as soon as the first token of an answer is known, in its thread.
  void on_first_token(std::function<void()> tell) { tell_ = std::move(tell); }

  // Of the last run.
  const Counts& counts() const { return counts_; }

 protected:
  // Writes the answer's ids, at most `limit`, and returns how many; calls first_token() when the first is known.
  // Nothing may remain of earlier prompts. Throws Failure.
  virtual std::size_t generate(const std::int32_t* prompt, std::size_t size, std::int32_t* answer,
                               std::size_t limit) = 0;

  void first_token();
  bool stops(std::int32_t id) const;

 private:
  Tensors inputs_, outputs_;
  const std::size_t context_;
  Generation how_;
  std::size_t most_ = std::numeric_limits<std::size_t>::max();
  std::function<void()> tell_;
  std::size_t told_ = 0;
  std::vector<std::int32_t> answer_;
  Counts counts_;
};

// Throws Failure, first-token: the first token of answers to this sample is reported when that of an answer of a single
// token cannot be known yet, or only with later ones. As mlperf_mobile.worker.first_token_times.
void check_first_token(Generator& generator, const std::uint8_t* sample);

}  // namespace runner
