// A network that was built in NNAPI's library and compiled for one device.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nnapi_api.h"
#include "nnapi_network.h"
#include "nnapi_options.h"

namespace runner {

class NnapiCompiled {
 public:
  // Throws Failure: what Network throws; feature-level: the device is older than the network; unsupported-operations,
  // which names them; and what the library's results mean.
  NnapiCompiled(const Nnapi& api, const NnapiDeviceFacts& device, const NnapiOptions& options, const std::string& path);
  ~NnapiCompiled() { close(); }
  NnapiCompiled(const NnapiCompiled&) = delete;
  NnapiCompiled& operator=(const NnapiCompiled&) = delete;

  // The operators of the model by name. Those that lowering merged into nothing do not run, and are not counted.
  std::map<std::string, int> operators() const;

  const Network network;
  Nnapi::Compilation compilation = nullptr;

 private:
  void build(bool allow_fp16);
  void add(const Operand& operand, std::size_t index);
  void check_supported(const std::string& device, Nnapi::Device handle, const std::string& model) const;
  void compile(Nnapi::Device device, const NnapiOptions& options);
  // The operators of the model that the marked operations come from, by name.
  std::map<std::string, int> counted(const std::vector<bool>& marked) const;
  void close();

  const Nnapi& api_;
  Nnapi::Model model_ = nullptr;
};

}  // namespace runner
