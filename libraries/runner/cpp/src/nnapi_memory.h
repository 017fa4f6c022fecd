// The inputs or outputs of a network, in memory that is shared with the driver where it takes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nnapi_api.h"
#include "tensor.h"

namespace runner {

class NnapiTensors {
 public:
  enum Role { kInputs, kOutputs };

  // Throws Failure: out-of-memory.
  NnapiTensors(const Nnapi& api, const Tensors& tensors, Role role);
  ~NnapiTensors();
  NnapiTensors(const NnapiTensors&) = delete;
  NnapiTensors& operator=(const NnapiTensors&) = delete;

  std::uint8_t* at(std::size_t index) const { return memory_ + layout_.offsets[index]; }
  bool shared() const { return handle_ != nullptr; }

  // Makes them the inputs or outputs of an execution; allocates nothing. Throws Failure.
  void give(Nnapi::Execution execution) const;

 private:
  void share(int fd);

  const Nnapi& api_;
  const Role role_;
  const Layout layout_;
  std::vector<std::size_t> bytes_;
  std::size_t size_ = 0;
  std::uint8_t* memory_ = nullptr;
  Nnapi::Memory handle_ = nullptr;
};

}  // namespace runner
