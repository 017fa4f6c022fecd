/* What both generations of the NeuroPilot runtime share: types, and a loaded network with its buffers.
 *
 * Types.h, RuntimeAPI.h and RuntimeV2.h of the NeuroPilot SDK (as published with NeuroPilot 5 and 6 samples). */
#ifndef NN_NEURON_RUNTIME_H
#define NN_NEURON_RUNTIME_H

#include "network.h"

/* RuntimeAPIErrorCode. */
enum { RT_NO_ERROR = 0, RT_OUT_OF_MEMORY = 1, RT_INCOMPLETE = 2, RT_UNEXPECTED_NULL = 3, RT_BAD_DATA = 4, RT_BAD_STATE = 5,
       RT_RUNTIME_ERROR = 6 };

typedef struct {
    int ion_fd; /* -1: plain memory */
} BufferAttribute;

typedef struct {
    uint32_t dimensions[4];
} RuntimeDimensions;

typedef struct {
    uint64_t exec_time; /* microseconds */
    uint32_t suggested_time, bandwidth;
    uint8_t boost_value;
} QoSData;

typedef struct {
    QoSData **qos_data;
    uint32_t *sub_commands;
    uint32_t subgraphs;
} ProfiledQoSData;

typedef struct {
    int preference, priority;
    uint8_t boost_value, max_boost_value, min_boost_value;
    uint16_t deadline, abort_time;
    int32_t delayed_power_off_time;
    int power_policy, application_type;
    ProfiledQoSData *profiled;
} QoSOptions;

typedef struct {
    void *data;
    void *mapping; /* of an ION descriptor */
    size_t mapped;
    bool set;
} Bound;

typedef struct {
    Program *program; /* NULL until a network is loaded */
    Tensor *tensors;
    Tensor **slots;
    Bound *bound; /* inputs, then outputs */
    uint8_t boost;
    QoSData profile, *profile_pointer;
    uint32_t one;
    ProfiledQoSData profiled;
    pthread_mutex_t lock;
    /* Of the second generation: requests that run in the background. */
    bool second;
    uint64_t next_job;
    size_t backlog, waiting;
    pthread_cond_t changed;
} Runtime;

int rt_code(int status);
int rt_check(const void *runtime, bool second);
int rt_loaded(const void *runtime, bool second); /* BAD_STATE before a network is loaded */
Runtime *rt_new(bool second);
int rt_load(Runtime *runtime, const void *buffer, size_t size);
int rt_load_file(Runtime *runtime, const char *path);
int rt_io(const Runtime *runtime, uint64_t handle, bool output, const Tensor **tensor, uint32_t *place);
int rt_bind(Runtime *runtime, bool output, uint64_t handle, const void *buffer, size_t length, int fd, size_t offset);
int rt_run(Runtime *runtime);
int rt_set_qos(Runtime *runtime, const QoSOptions *options);
int rt_profile(Runtime *runtime, ProfiledQoSData **profiled, uint8_t *boost);
void rt_free(Runtime *runtime, const char *who);

#endif
