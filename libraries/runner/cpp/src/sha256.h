// SHA-256, computed by PyCryptodome's C code.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runner {

constexpr std::size_t kDigestSize = 32;

// Writes the digest of `data` to `digest`.
void sha256(const std::uint8_t* data, std::size_t size, std::uint8_t* digest);

}  // namespace runner
