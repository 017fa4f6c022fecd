// The next token of a greedy generation: the most likely one.
#pragma once

#include <algorithm>
#include <cstddef>

namespace runner {

// The index of the largest value, the first of equal ones; -1 if a value is NaN. `size` is at least 1.
inline std::ptrdiff_t greedy(const float* values, std::size_t size) {
  constexpr std::size_t kLanes = 16;  // a vocabulary has 100,000 values: the compiler compares several at a time
  float most[kLanes];
  int wrong[kLanes] = {};
  std::fill(most, most + kLanes, values[0]);
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[i + lane];
      most[lane] = value > most[lane] ? value : most[lane];
      wrong[lane] |= value != value;
    }
  }
  for (; i < size; ++i) {
    most[0] = values[i] > most[0] ? values[i] : most[0];
    wrong[0] |= values[i] != values[i];
  }
  if (values[0] != values[0] || std::any_of(wrong, wrong + kLanes, [](int each) { return each != 0; })) return -1;
  return std::find(values, values + size, *std::max_element(most, most + kLanes)) - values;
}

}  // namespace runner
