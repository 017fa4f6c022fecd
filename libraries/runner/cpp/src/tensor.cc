#include "tensor.h"

#include <map>

namespace runner {

std::size_t size_of(const std::string& dtype) {
  static const std::map<std::string, std::size_t> sizes = {
      {"bool", 1},   {"int8", 1},    {"uint8", 1},   {"int16", 2},   {"uint16", 2},    {"float16", 2},
      {"int32", 4},  {"uint32", 4},  {"float32", 4}, {"int64", 8},   {"uint64", 8},    {"float64", 8},
      {"complex64", 8}, {"complex128", 16}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

std::int64_t elements(const std::vector<std::int64_t>& shape) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(product, size, &product) || product > (std::int64_t{1} << 40)) return -1;
  }
  return product;
}

std::string text(const Tensor& tensor) {
  std::string found = tensor.dtype + "[";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) found += (i ? "," : "") + std::to_string(tensor.shape[i]);
  return found + "]";
}

nlohmann::json as_json(const Tensors& tensors) {
  nlohmann::json found = nlohmann::json::array();
  for (const Tensor& tensor : tensors) {
    nlohmann::json one = {
        {"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"bytes", tensor.bytes}};
    one["quantisation"] = nullptr;
    if (tensor.quantisation) {
      one["quantisation"] = {{"scale", tensor.quantisation->scale}, {"zero_point", tensor.quantisation->zero_point}};
    }
    found.push_back(std::move(one));
  }
  return found;
}

Layout::Layout(const Tensors& tensors, std::size_t alignment) {
  for (const Tensor& tensor : tensors) {
    offsets.push_back(stride);
    stride += (tensor.bytes + alignment - 1) / alignment * alignment;
  }
}

}  // namespace runner
