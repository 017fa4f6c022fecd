// What is known about one input or output of a model, for one sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace runner {

struct Quantisation {
  double scale = 0.0;
  std::int64_t zero_point = 0;
};

struct Tensor {
  std::string name;
  std::string dtype;  // by NumPy's name: "float32"
  std::vector<std::int64_t> shape;
  std::size_t bytes = 0;
  std::optional<Quantisation> quantisation;
};

using Tensors = std::vector<Tensor>;

// Bytes of one element; 0 for a type that the runner does not know.
std::size_t size_of(const std::string& dtype);

// The product of the dimensions; -1 if one is open or the product is too large.
std::int64_t elements(const std::vector<std::int64_t>& shape);

// "uint8[1,224,224,3]".
std::string text(const Tensor& tensor);

nlohmann::json as_json(const Tensors& tensors);

// Where each tensor of a sample begins, and the size of the whole.
struct Layout {
  Layout(const Tensors& tensors, std::size_t alignment);
  std::vector<std::size_t> offsets;
  std::size_t stride = 0;
};

}  // namespace runner
