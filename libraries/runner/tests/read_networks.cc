// Reads the files of networks that are named, and every byte of their constants, for the sanitizers.
#include <cstdio>

#include "failure.h"
#include "nnapi_network.h"

int main(int count, char** paths) {
  unsigned sum = 0;
  for (int i = 1; i < count; ++i) {
    try {
      const runner::Network network(paths[i]);
      for (const runner::Operand& operand : network.operands) {
        const auto* value = static_cast<const unsigned char*>(operand.value);
        for (std::size_t place = 0; value && place < operand.bytes; ++place) sum += value[place];
        for (std::size_t place = 0; operand.channel_scales && place < operand.channels; ++place)
          sum += operand.channel_scales[place] > 0.0f;
      }
      std::printf("read: %u\n", sum);
    } catch (const runner::Failure& failure) {
      std::printf("%s: %s\n", failure.code.c_str(), failure.summary.c_str());
    }
  }
  return 0;
}
