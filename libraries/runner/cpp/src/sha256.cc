#include "sha256.h"

#include "failure.h"

// Declared in no header of PyCryptodome; see src/hash_SHA2_template.c there.
extern "C" int SHA256_oneshot(const std::uint8_t* data, std::size_t size, std::uint8_t* digest, std::size_t digest_size);

namespace runner {

void sha256(const std::uint8_t* data, std::size_t size, std::uint8_t* digest) {
  if (const int error = SHA256_oneshot(data, size, digest, kDigestSize))
    throw Failure("internal", kInternal, "SHA-256 failed with error " + std::to_string(error));
}

}  // namespace runner
