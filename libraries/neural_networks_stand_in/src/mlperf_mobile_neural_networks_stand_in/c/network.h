/* The compiled network: one block of bytes, the stand-in's own format. All offsets are from its start.
 *
 * Header, operand records, step records, indices, scales, values (each value aligned to 64 bytes). */
#ifndef NN_NETWORK_H
#define NN_NETWORK_H

#include "nn.h"

#define NN_MAGIC "NNSTAND"
enum { NN_FORMAT = 1, NN_VALUE_ALIGNMENT = 64 };

typedef struct {
    char magic[8];
    uint32_t format, header_bytes;
    uint64_t total_bytes, checksum; /* checksum of all bytes after the header */
    char soc[32];
    uint8_t version[4]; /* of the library that compiled it; the major version must match */
    uint32_t operands, steps, inputs, outputs;
    uint64_t operands_at, steps_at, indices_at, index_count; /* inputs, outputs, then those of the steps */
} NetworkHeader;

enum { NN_IS_VALUE = 1, NN_IS_INPUT = 2, NN_IS_OUTPUT = 3, NN_IS_TEMPORARY = 0 };

typedef struct {
    int32_t type;
    uint32_t rank, dims[NN_MAX_RANK];
    float scale;
    int32_t zero;
    uint32_t lifetime, channel_dim, scale_count, unused;
    uint64_t scales_at, value_at;
} OperandRecord;

typedef struct {
    int32_t code;
    uint32_t inputs, outputs, unused;
    uint64_t first; /* in the indices */
} StepRecord;

uint64_t nn_checksum(const uint8_t *data, size_t size);
void nn_library_version(uint8_t version[3]);

#endif
