// LiteRT with a model: what its engines share.
#pragma once

#include <memory>
#include <string>

#include "engine.h"
#include "litert_api.h"

namespace runner {

class LiteRtRuntime : public Runtime {
 public:
  // Throws Failure: runner-library, runner-symbol, runner-option.
  explicit LiteRtRuntime(const Plan& plan);
  ~LiteRtRuntime() override;

  nlohmann::json facts() const override;
  nlohmann::json placement() const override;
  std::unique_ptr<Engine> load() override;

  // The model, compiled. Throws Failure: model-refused.
  LiteRt::Compiled compiled() const;
  LiteRt::Model model() const { return model_; }
  LiteRt::Environment environment() const { return environment_; }
  // Whether a language model only replaces slices of its caches.
  bool in_place() const { return in_place_; }

  // Memory for a tensor of `bytes`, as the runtime requires it. Throws Failure: backend-failed.
  LiteRt::Buffer buffer(LiteRt::Type type, const LiteRt::Dimensions& layout, LiteRt::Requirements requirements,
                        std::size_t bytes, const std::string& name) const;

 private:
  void check(LiteRt::Status status, const char* what) const;
  void refuse(LiteRt::Status status, const char* what) const;

  const Plan plan_;
  const Library library_;
  std::string accelerator_;
  bool in_place_ = false;
  mutable bool known_ = false, accelerated_ = false;
  LiteRt::Environment environment_ = nullptr;
  LiteRt::Options compilation_ = nullptr;
  LiteRt::Model model_ = nullptr;

 public:
  const LiteRt api;
};

// Throws Failure, backend-failed: a call while the model is prepared or runs has failed.
inline void litert_check(LiteRt::Status status, const char* what) {
  if (status)
    throw Failure("backend-failed", kBackend,
                  std::string("LiteRT failed to ") + what + ": status " + std::to_string(status) + ", " +
                      litert_status(status),
                  "see worker.log");
}

// Engines for models with one signature, and for language models. Throw Failure.
std::unique_ptr<Engine> make_litert_engine(const LiteRtRuntime& runtime, const Plan& plan);
std::unique_ptr<Engine> make_litert_generator(const LiteRtRuntime& runtime, const Plan& plan);

}  // namespace runner
