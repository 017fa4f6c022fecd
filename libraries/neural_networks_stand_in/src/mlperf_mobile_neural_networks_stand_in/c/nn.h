/* Core of the stand-in: tensors, models, programs (compiled models), executions. The ABI fronts wrap these.
 *
 * A stand-in: it shows that a caller drives the API well and gets right numbers. Its speed says nothing about a device. */
#ifndef NN_H
#define NN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codes.h"

#define NN_EXPORT __attribute__((visibility("default")))
/* Neuron's extensions: the upper half of an operand or operation type. */
enum { NN_NETWORK_EXTENSION = 1, NN_GENERAL_EXTENSION = 2 };

#define NN_MAX_RANK 8
#define NN_MAX_BYTES ((size_t)1 << 32) /* of one tensor */
#define NN_MAX_COUNT 1000000           /* operands or operations of one model */

/* ---- control.c: faults, trace, messages, from NN_STAND_IN_* variables, read when the library is loaded ---- */

extern bool nn_controlled; /* anything to do on a call at all */
bool nn_enter(const char *symbol, int *code);
void nn_trace(const char *what, const char *detail);
int nn_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3))); /* keeps the message, returns status */
void nn_abort(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int nn_code_of_name(const char *name); /* implemented by each front: its own code of "BAD_DATA" ..., -1 unknown */
const char *nn_setting(const char *name, const char *otherwise);
bool nn_listed(const char *list, const char *word); /* is word in the comma separated list? */

/* Every exported function starts with this: it traces the call and injects the requested fault. */
#define NN_ENTER()                                           \
    do {                                                     \
        int code_;                                           \
        if (__builtin_expect(nn_controlled, 0) && nn_enter(__func__, &code_)) return code_; \
    } while (0)
#define NN_ENTER_VOID()                                      \
    do {                                                     \
        int code_;                                           \
        if (__builtin_expect(nn_controlled, 0)) (void)nn_enter(__func__, &code_); \
    } while (0)

/* ---- objects.c: which handles are alive ---- */

typedef enum {
    NN_MODEL_OBJECT = 1, NN_COMPILATION_OBJECT, NN_EXECUTION_OBJECT, NN_MEMORY_OBJECT, NN_DESC_OBJECT, NN_EVENT_OBJECT,
    NN_BURST_OBJECT, NN_RUNTIME_OBJECT,
} NnKind;

void *nn_new(NnKind kind, size_t size);                   /* zeroed and registered */
int nn_check(const void *object, NnKind kind);            /* NO_ERROR, UNEXPECTED_NULL or BAD_DATA (freed, foreign, other kind) */
bool nn_forget(void *object, NnKind kind, const char *who); /* false for NULL; ends the process on a handle that is not alive */
void *nn_alloc(size_t size);                              /* zeroed; ends the process when there is none */

/* ---- tensors.c ---- */

typedef struct {
    int32_t type;
    uint32_t rank;
    uint32_t dims[NN_MAX_RANK];
    float scale;
    int32_t zero;
    const float *scales; /* per channel, of channel_dim */
    uint32_t channel_dim, scale_count;
    void *data;
} Tensor;

size_t nn_type_size(int32_t type); /* 0 for an unknown type */
bool nn_is_tensor(int32_t type);
bool nn_is_quant8(int32_t type);
size_t nn_count(const Tensor *t); /* elements; 0 when not fully specified or too many */
size_t nn_bytes(const Tensor *t);
float nn_half_to_float(uint16_t half);
uint16_t nn_float_to_half(float value);
void nn_to_real(const Tensor *from, float *to);   /* float16 or quantised to float32 */
void nn_from_real(const float *from, Tensor *to); /* and back, rounded and saturated */
static inline int32_t nn_quant_min(int32_t type) { return type == NN_TENSOR_QUANT8_ASYMM ? 0 : -128; }
static inline int32_t nn_quant_max(int32_t type) { return type == NN_TENSOR_QUANT8_ASYMM ? 255 : 127; }

/* ---- operations.c and the kernels ---- */

typedef struct {
    void *slots[16];
    size_t sizes[16];
    int used;
} Scratch;

typedef struct Call {
    int32_t code;
    int form; /* which of the operation's signatures */
    const Tensor **in;
    Tensor **out;
    uint32_t inputs, outputs;
    Scratch *scratch;
    const void *prepared; /* what prepare() made of constant weights */
    bool own_scale; /* Neuron: what is computed in reals may have another scale than its input, as LiteRT has it */
} Call;

typedef int (*ShapeFn)(const Call *call, Tensor *out); /* sets rank and dims of each out[], checks everything run() relies on */
typedef int (*RunFn)(const Call *call);
typedef void *(*PrepareFn)(const Call *call); /* one block for free(), or NULL */

/* How a kernel takes float16 and quantised tensors: turned into float32 around run(), or as they are. SAME: the outputs must
 * have the scale and zero point of the input. */
enum { NN_LIFT_HALF = 1, NN_LIFT_QUANT = 2, NN_LIFT = 3, NN_SAME = 4 };

typedef struct {
    int32_t code;
    const char *name;
    int level;             /* feature level, 1 to 8 */
    const char *types;     /* of the letter T: F H U S I B (float32, float16, quant8, quant8 signed, int32, bool8); after one of
                              them its feature level, where that is a later one than operation and type have themselves */
    const char *signature; /* see operations.c */
    uint32_t max_rank;
    int lift;
    ShapeFn shape;
    RunFn run;
    PrepareFn prepare;
} Operation;

const Operation *nn_operation(int32_t code); /* NULL: no kernel */
const char *nn_operation_name(int32_t code);
int nn_operation_level(const Operation *operation, int32_t type); /* with tensors of this type */
int nn_match(const Operation *operation, const Tensor *const *in, uint32_t inputs, const Tensor *const *out, uint32_t outputs,
             int *form);
int nn_infer(const Operation *operation, Call *call); /* checks call, fills the dims of its outputs */
int nn_run(const Operation *operation, const Call *call);
void *nn_scratch(const Call *call, size_t size);

/* ---- model.c ---- */

typedef struct {
    Tensor t;
    const void *value; /* what setOperandValue gave: must stay until the compilation is finished */
    size_t length;
    uint8_t copy[NN_COPIED_AT_ONCE];
    bool has_value, omitted, produced, is_input, is_output;
} Operand;

typedef struct {
    int32_t code;
    uint32_t inputs, outputs;
    uint32_t *indices; /* inputs, then outputs */
    bool kernel;       /* known at finish: the stand-in can run it at all */
} Node;

typedef struct {
    Operand *operands;
    uint32_t operand_count, operand_room;
    Node *nodes; /* in the order of addition */
    uint32_t node_count, node_room;
    uint32_t *order; /* of running, known at finish */
    uint32_t *inputs, *outputs;
    uint32_t input_count, output_count;
    bool identified, finished, relaxed, restored;
    bool neuron; /* built through the Neuron adapter: more types, extensions */
    int users; /* live compilations */
    char name[64];
} Model;

typedef struct { /* ANeuralNetworksOperandType, NeuronOperandType */
    int32_t type;
    uint32_t dimension_count;
    const uint32_t *dimensions;
    float scale;
    int32_t zero_point;
} OperandType;

typedef struct { /* ANeuralNetworksSymmPerChannelQuantParams and the first part of NeuronPerChannelQuantParams */
    uint32_t channel_dim, scale_count;
    const float *scales;
} ChannelQuant;

Model *nn_model_new(void);
void nn_model_free(Model *model, const char *who);
int nn_model_add_operand(Model *model, const OperandType *type);
int nn_model_set_value(Model *model, int32_t index, const void *buffer, size_t length);
int nn_model_set_channels(Model *model, int32_t index, const ChannelQuant *quant);
int nn_model_add_operation(Model *model, int32_t code, uint32_t inputs, const uint32_t *in, uint32_t outputs,
                           const uint32_t *out);
int nn_model_identify(Model *model, uint32_t inputs, const uint32_t *in, uint32_t outputs, const uint32_t *out);
int nn_model_relax(Model *model, bool allow);
int nn_model_finish(Model *model);

/* ---- devices.c ---- */

typedef struct {
    char name[64];
    int32_t type;
    int level; /* 1 to 8 */
} Device;

extern const int nn_default_level; /* each front defines these two */
extern const char nn_default_devices[];
uint32_t nn_device_count(void);
const Device *nn_device(uint32_t index);
const Device *nn_device_of(const void *handle); /* NULL when it is none of ours */
int nn_runtime_level(void);
int64_t nn_level_code(int level); /* 27 ... 31, 1000006 ... */
bool nn_node_supported(const Model *model, const Node *node, const Device *device);
int nn_supported(const Model *model, const void *const *devices, uint32_t count, bool *supported);

/* ---- network.c: the compiled network, one block of bytes ---- */

int nn_network_write(const Model *model, const char *soc, uint8_t **blob, size_t *size);
const char *nn_device_soc(void); /* NN_STAND_IN_SOC */
const char *nn_target_soc(void); /* MTKNN_ADAPTER_DLA_PLATFORM, as LiteRT's plugin sets it, or the device's */

/* ---- program.c: a compiled network, ready to run ---- */

typedef struct {
    const Operation *operation;
    int form;
    uint32_t inputs, outputs;
    const uint32_t *indices;
    void *prepared;
} Step;

typedef struct Workspace {
    uint8_t *arena;
    Scratch scratch;
} Workspace;

typedef struct {
    uint8_t *blob;
    size_t size;
    Tensor *tensors; /* data set for constants only */
    size_t *offsets; /* into the arena, SIZE_MAX for none */
    uint32_t tensor_count;
    Step *steps;
    uint32_t step_count;
    size_t slots; /* indices of all steps together */
    const uint32_t *inputs, *outputs;
    uint32_t input_count, output_count;
    size_t arena_bytes;
    Workspace *spare;
    pthread_mutex_t lock;
    int users;
} Program;

int nn_program_load(uint8_t *blob, size_t size, const char *soc, Program **program); /* takes the block over */
void nn_program_drop(Program *program);
int nn_program_plan(Program *program);
Workspace *nn_workspace_take(Program *program);
void nn_workspace_give(Program *program, Workspace *workspace);

/* ---- compilation.c ---- */

typedef struct {
    Model *model;
    const Device *devices[16];
    uint32_t device_count;
    bool explicit_devices, finished, restored;
    bool foreign; /* compiled for another SoC than this device's: cannot run here */
    int32_t preference, priority;
    int type; /* CompilationType of the Neuron adapter */
    char *cache_dir;
    uint8_t token[NN_TOKEN_BYTES];
    char *options;
    Program *program;
    int users; /* live executions and bursts */
    uint32_t optimization;
} Compilation;

int nn_compilation_new(Model *model, const void *const *devices, uint32_t count, Compilation **compilation);
void nn_compilation_free(Compilation *compilation, const char *who);
int nn_compilation_set_caching(Compilation *compilation, const char *dir, const uint8_t *token);
int nn_compilation_finish(Compilation *compilation);
int nn_compilation_open(Compilation *compilation); /* may still be changed? */
int nn_restore(const void *buffer, size_t size, Model **model, Compilation **compilation);

/* ---- memory.c ---- */

typedef struct {
    uint8_t *data;
    size_t size;
    void *mapping;
    size_t mapped;
    bool writable, device;
    int users;
} Memory;

int nn_memory_from_fd(size_t size, int protect, int fd, size_t offset, Memory **memory);
int nn_memory_of_size(size_t size, Memory **memory);
void nn_memory_free(Memory *memory, const char *who);

/* ---- execution.c ---- */

typedef enum { NN_BUILDING, NN_COMPUTING, NN_COMPLETED } NnState;

typedef struct Execution {
    Compilation *compilation;
    Program *program;
    Tensor *tensors;
    Tensor **slots;
    bool *given; /* inputs, then outputs */
    NnState state;
    bool reusable, measure, padding, lenient; /* lenient: Neuron takes larger buffers too */
    uint64_t nanoseconds;
    int status;
} Execution;

typedef struct {
    pthread_t thread;
    pthread_mutex_t lock;
    bool joined;
    int status;
} Event;

int nn_execution_new(Compilation *compilation, Execution **execution);
void nn_execution_free(Execution *execution, const char *who);
int nn_execution_set(Execution *execution, bool output, int64_t index, const OperandType *type, void *buffer, size_t length);
int nn_execution_set_memory(Execution *execution, bool output, int64_t index, const OperandType *type, const Memory *memory,
                            size_t offset, size_t length);
int nn_execution_compute(Execution *execution);
int nn_execution_start(Execution *execution, Event **event);
int nn_execution_output(Execution *execution, int64_t index, const Tensor **tensor);
int nn_event_wait(Event *event);
void nn_event_free(Event *event, const char *who);
int nn_program_run(Program *program, Tensor *tensors, Tensor **slots);
void nn_program_bind(const Program *program, Tensor *tensors, Tensor **slots);

#endif
