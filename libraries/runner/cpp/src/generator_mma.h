// A language model of a vendor's library: std::vector<int> of token ids in and out, as in the MLPerf Mobile app.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "generator.h"
#include "mma_library.h"

namespace runner {

class MmaGenerator : public Generator {
 public:
  MmaGenerator(const mma::Functions& functions, const std::string& library, const Plan& plan,
               const mma::Options& options);

  const mma::Instance& instance() const { return *instance_; }

 private:
  MmaGenerator(std::unique_ptr<mma::Instance> instance, const Plan& plan);
  std::size_t generate(const std::int32_t* prompt, std::size_t size, std::int32_t* answer, std::size_t limit) override;
  bool query(const std::int32_t* prompt, std::size_t size, std::int32_t asked);
  void take(std::int32_t asked);
  void check_late() const;
  [[noreturn]] void wrong(const std::string& what, const char* code) const;

  const std::unique_ptr<mma::Instance> instance_;
  bool elsewhere_ = false;         // the library reports first tokens in a thread of its own
  std::size_t reported_ = 0;       // first tokens, of the last query
  std::vector<std::int32_t> prompt_;
  std::vector<std::int32_t> ids_;  // the library's answer to the last query
};

}  // namespace runner
