// The file of a network that the host lowered to NNAPI's operands and operations, read and checked.
//
// Its layout is described in mlperf_mobile_neural_networks/network_file.py, which writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor.h"

namespace runner {

// Numbers of OperandCode in NeuralNetworksTypes.h.
constexpr int kPerChannelCode = 11;

struct Operand {
  int code = 0;
  std::vector<std::uint32_t> dimensions;  // empty for a scalar
  float scale = 0.0f;
  std::int32_t zero_point = 0;
  std::string name;
  std::size_t bytes = 0;
  std::uint32_t channel_dimension = 0, channels = 0;
  const float* channel_scales = nullptr;  // `channels` of them; null without
  const void* value = nullptr;            // `bytes` of them; null if it is no constant
};

struct Operation {
  int code = 0;
  std::vector<std::uint32_t> inputs, outputs;  // operands
  std::string name;                            // TensorFlow Lite's, of the operator that it comes from
  std::vector<std::uint32_t> sources;          // the operators of the model that it comes from
};

class Network {
 public:
  // Throws Failure: model-missing; model-damaged: it is cut, or a number in it is out of bounds; runner-version.
  explicit Network(const std::string& path);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  int feature_level = 0;  // what a device must have, 1 to 8
  std::vector<Operand> operands;
  std::vector<Operation> operations;
  std::vector<std::uint32_t> inputs, outputs;  // operands, no constants
  // As the model file describes `inputs` and `outputs`: of as many bytes.
  Tensors input_tensors, output_tensors;

 private:
  void read(const std::string& path);

  const std::uint8_t* memory_ = nullptr;  // of the whole file; constants lie in it
  std::size_t size_ = 0;
};

}  // namespace runner
