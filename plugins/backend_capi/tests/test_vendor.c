/* A backend library written for tests. No vendor's accelerator is behind it: it computes on the CPU, in plain C.

   It follows the mlperf_backend_* contract, holds its caller to it, and breaks it where the setting "defect" says so.
   Like some vendors' libraries it keeps pointers: into the configuration until it is deleted, and to the inputs until
   the query is issued. What it answers to matches_hardware depends on the device's model: "case 1" to "case 4", and
   others below.

   A model is a text file: "CAPITEST kind type size end". Kinds:
     double  y = x + x, one input and one output of the size
     two     float32[size] and int32[2] in; twice the first and the square of the second out
     image   uint8[size] in; ten float32 out: sums over ten bands of the picture, the class being the brightest */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { int type; int64_t size; } data_t;
typedef struct { const char *model, *manufacturer, *native_lib_path; } device_t;
typedef struct {
  const char *delegate_selected, *accelerator, *accelerator_desc;
  uint32_t batch_size;
  int count;
  const char *keys[256], *values[256];
} config_t;
typedef void (*callback_t)(void *);

enum { FLOAT32, UINT8, INT8, FLOAT16, INT32, INT64 };
enum { MAX_BATCH = 64, CLASSES = 10 };

typedef struct {
  config_t *config;
  char kind[16];
  int type;
  int64_t size;
  uint32_t batch;
  int inputs, outputs;
  void *in[MAX_BATCH][2];
  char *out[MAX_BATCH][2];
  bool issued, unflushed;
  FILE *trace;
  char *moved;
} backend_t;

static backend_t *only;
static void *buffers[2 * MAX_BATCH];
static int held;

static const char *const SETTINGS =
    "# written for tests\n"
    "common_setting { id: \"num_threads\" name: \"Threads\" value { value: \"4\" name: \"4 threads\" } }\n"
    "benchmark_setting {\n"
    "  benchmark_id: \"image_classification_v2\" framework: \"Test\"\n"
    "  custom_setting { id: \"of\" value: \"benchmark\" }\n"
    "  delegate_choice: { priority: 1 delegate_name: \"TEST_DSP\" accelerator_name: \"test_dsp\" accelerator_desc: \"HTP\"\n"
    "    batch_size: 2 custom_setting { id: \"of\" value: \"delegate\" } }\n"
    "  delegate_choice: { delegate_name: \"TEST_GPU\" accelerator_name: \"gpu\" accelerator_desc: \"GPU\" }\n"
    "  delegate_choice: { priority: 2 delegate_name: \"OTHER_DSP\" accelerator_name: \"npu\" accelerator_desc: \"NPU\" }\n"
    "  delegate_selected: \"TEST_DSP\"\n"
    "}\n";

static const char *get(const backend_t *b, const char *key, const char *otherwise) {
  for (int i = 0; i < b->config->count; ++i)
    if (strcmp(b->config->keys[i], key) == 0) return b->config->values[i];
  return otherwise;
}

static bool defect(const backend_t *b, const char *name) { return strcmp(get(b, "defect", ""), name) == 0; }

static void *sleeps(void *nothing) {
  for (;;) sleep(60);
  return nothing;
}

/* Defects that any function can have: "issue_query:crash". */
static void called(const backend_t *b, const char *function) {
  char name[64];
  const char *wanted = get(b, "defect", "");
  if (b->trace) {
    fprintf(b->trace, "%s\n", function);
    fflush(b->trace);
  }
  const char *colon = strchr(wanted, ':');
  if (!colon || (size_t)(colon - wanted) >= sizeof name) return;
  memcpy(name, wanted, (size_t)(colon - wanted));
  name[colon - wanted] = 0;
  if (strcmp(name, function) != 0) return;
  if (strcmp(colon, ":crash") == 0) *(volatile int *)8 = 1;
  if (strcmp(colon, ":abort") == 0) abort();
  if (strcmp(colon, ":exit") == 0) exit(0);
  if (strcmp(colon, ":hang") == 0) sleeps(NULL);
  static bool closed;
  if (strcmp(colon, ":close") == 0 && !closed) {
    closed = true;
    close(0);
    close(1);
    close(2);
  }
  if (strcmp(colon, ":print") == 0) { printf("{\"not\": \"an event\"}\n"); fflush(stdout); }
  if (strcmp(colon, ":leak") == 0) memset(malloc(100000), 1, 100000);
  if (strcmp(colon, ":thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, sleeps, NULL);
  }
}

static bool failing(const backend_t *b, const char *function) {
  const char *wanted = get(b, "defect", "");
  size_t n = strlen(function);
  return strncmp(wanted, function, n) == 0 && strcmp(wanted + n, ":fail") == 0;
}

static int64_t bytes_of(int type) { return (int64_t[]){4, 1, 1, 2, 4, 8}[type]; }

bool mlperf_backend_matches_hardware(const char **message, const char **settings, const device_t *device) {
  static char told[512];
  const char *model = device->model;
  if (strcmp(model, "crash") == 0) *(volatile int *)8 = 1;
  if (strcmp(model, "case 2") == 0) {
    snprintf(told, sizeof told, "%s is too old,\n update it", device->manufacturer);
    *message = told;
    return true;
  }
  if (strcmp(model, "case 3") == 0) return false;
  if (strcmp(model, "case 4") == 0) {
    snprintf(told, sizeof told, "libraries are in %s", device->native_lib_path);
    *message = told;
    return false;
  }
  if (strcmp(model, "no settings") == 0) return true;
  *settings = SETTINGS;
  if (strcmp(model, "broken text") == 0) *settings = "common_setting { id: \"num_threads\"";
  if (strcmp(model, "broken letters") == 0) *settings = "# \xff\xfe";
  if (strcmp(model, "broken message") == 0) { *message = "no \xff"; return true; }
  if (strcmp(model, "endless") == 0) {
    char *much = malloc(3 << 20);
    memset(much, ' ', 3 << 20);
    *settings = much; /* and no NUL */
  }
  return true;
}

#ifndef WITHOUT_CREATE
void *mlperf_backend_create(const char *path, config_t *config, const char *native_lib_path) {
  backend_t *b = calloc(1, sizeof *b);
  char type[16] = "";
  long long size = 0;
  FILE *file = fopen(path, "r");
  char end[4] = "";
  static const char *const TYPES[] = {"float32", "uint8", "int8", "float16", "int32", "int64"};
  b->config = config;
  bool good = file && fscanf(file, "CAPITEST %15s %15s %lld %3s", b->kind, type, &size, end) == 4 && !strcmp(end, "end");
  if (file) fclose(file);
  b->type = -1;
  for (int i = 0; i < 6; ++i)
    if (strcmp(type, TYPES[i]) == 0) b->type = i;
  b->size = size;
  b->batch = config->batch_size;
  if (!good || b->type < 0 || only || b->batch < 1 || b->batch > MAX_BATCH || defect(b, "create:null")) {
    free(b);
    return NULL;
  }
  b->inputs = b->outputs = strcmp(b->kind, "two") == 0 ? 2 : 1;
  for (uint32_t s = 0; s < b->batch; ++s)
    for (int i = 0; i < b->outputs; ++i) b->out[s][i] = calloc((size_t)(b->size < 16 ? 16 : b->size), 8);
  if (*get(b, "trace", "")) b->trace = fopen(get(b, "trace", ""), "a");
  only = b;
  called(b, "create");
  if (b->trace) {
    fprintf(b->trace, "= %s|%s|%s|%u|%s\n", config->delegate_selected, config->accelerator, config->accelerator_desc,
            config->batch_size, native_lib_path);
    for (int i = 0; i < config->count; ++i) fprintf(b->trace, "= %s=%s\n", config->keys[i], config->values[i]);
    fflush(b->trace);
  }
  return b;
}
#endif

const char *mlperf_backend_vendor_name(void *p) { return defect(p, "vendor_name:null") ? NULL : "Written for tests"; }
const char *mlperf_backend_name(void *p) { return defect(p, "name:letters") ? "\xff\xfe" : "test_vendor"; }
const char *mlperf_backend_accelerator_name(void *p) {
  const backend_t *b = p;
  return get(b, "claims", b->config->accelerator_desc);
}

void mlperf_backend_delete(void *p) {
  backend_t *b = p;
  called(b, "delete");
  if (held || b->unflushed) abort(); /* buffers come back first, and every query is flushed */
  for (uint32_t s = 0; s < b->batch; ++s)
    for (int i = 0; i < b->outputs; ++i) free(b->out[s][i]);
  if (b->trace) fclose(b->trace);
  free(b->moved);
  free(b);
  only = NULL;
}

#define TIMES_TWO(T) for (int64_t i = 0; i < n; ++i) ((T *)y)[i] = (T)(((const T *)x)[i] + ((const T *)x)[i])

static void twice(int type, int64_t n, const void *x, void *y) {
  if (type == FLOAT32) TIMES_TWO(float);
  if (type == UINT8) TIMES_TWO(uint8_t);
  if (type == INT8) TIMES_TWO(int8_t);
  if (type == FLOAT16) /* the exponent of a normal number, one up */
    for (int64_t i = 0; i < n; ++i) ((uint16_t *)y)[i] = (uint16_t)(((const uint16_t *)x)[i] + (((const uint16_t *)x)[i] ? 0x400 : 0));
  if (type == INT32) TIMES_TWO(int32_t);
  if (type == INT64) TIMES_TWO(int64_t);
}

struct call { callback_t callback; void *context; };

static void *calls(void *p) {
  struct call *call = p;
  call->callback(call->context);
  return NULL;
}

int mlperf_backend_issue_query(void *p, callback_t callback, void *context) {
  backend_t *b = p;
  called(b, "issue_query");
  if (failing(b, "issue_query")) return 1;
  if (b->unflushed) return 3;
  if (strcmp(get(b, "first_token", ""), "here") == 0) callback(context);
  if (strcmp(get(b, "first_token", ""), "thread") == 0) {
    pthread_t thread;
    struct call call = {callback, context};
    pthread_create(&thread, NULL, calls, &call);
    pthread_join(thread, NULL);
  }
  for (uint32_t s = 0; s < b->batch; ++s) {
    for (int i = 0; i < b->inputs; ++i)
      if (!b->in[s][i]) return 4;
    if (strcmp(b->kind, "image") == 0) {
      float *y = (float *)b->out[s][0];
      memset(y, 0, CLASSES * sizeof *y);
      for (int64_t i = 0; i < b->size; ++i) y[i * CLASSES / b->size] += ((uint8_t *)b->in[s][0])[i];
    } else {
      twice(b->type, b->size, b->in[s][0], b->out[s][0]);
      for (int i = 0; b->inputs == 2 && i < 2; ++i) {
        int32_t q = ((int32_t *)b->in[s][1])[i];
        ((int32_t *)b->out[s][1])[i] = q * q;
      }
    }
    b->in[s][0] = b->in[s][1] = NULL;
  }
  b->issued = b->unflushed = true;
  return 0;
}

int mlperf_backend_flush_queries(void *p) {
  backend_t *b = p;
  called(b, "flush_queries");
  b->unflushed = false;
  return failing(b, "flush_queries");
}

int32_t mlperf_backend_get_input_count(void *p) {
  return defect(p, "inputs:-1") ? -1 : defect(p, "inputs:0") ? 0 : defect(p, "inputs:many") ? 1 << 30 : ((backend_t *)p)->inputs;
}

data_t mlperf_backend_get_input_type(void *p, int32_t i) {
  const backend_t *b = p;
  if (defect(b, "input:type")) return (data_t){99, b->size};
  if (defect(b, "input:negative")) return (data_t){b->type, -4};
  if (defect(b, "input:huge")) return (data_t){b->type, INT64_MAX};
  return i == 0 ? (data_t){b->type, b->size} : (data_t){INT32, 2};
}

int mlperf_backend_set_input(void *p, int32_t slot, int32_t i, void *data) {
  backend_t *b = p;
  called(b, "set_input");
  if (failing(b, "set_input")) return 1;
  if (slot < 0 || (uint32_t)slot >= b->batch || i < 0 || i >= b->inputs) return 5;
  bool own = false;
  for (int k = 0; k < held; ++k) own |= buffers[k] == data;
  if (strcmp(get(b, "buffers", ""), "only") == 0 && !own) return 6;
  b->in[slot][i] = data;
  return 0;
}

int32_t mlperf_backend_get_output_count(void *p) { return defect(p, "outputs:0") ? 0 : ((backend_t *)p)->outputs; }

data_t mlperf_backend_get_output_type(void *p, int32_t i) {
  const backend_t *b = p;
  if (defect(b, "output:type")) return (data_t){-1, b->size};
  if (strcmp(b->kind, "image") == 0) return (data_t){FLOAT32, CLASSES};
  return i == 0 ? (data_t){b->type, b->size} : (data_t){INT32, 2};
}

int mlperf_backend_get_output(void *p, uint32_t slot, int32_t i, void **data) {
  backend_t *b = p;
  called(b, "get_output");
  if (failing(b, "get_output") || !b->issued || slot >= b->batch || i < 0 || i >= b->outputs) return 1;
  if (defect(b, "get_output:null")) return 0;
  if (defect(b, "get_output:moves")) { /* another address each time */
    char *before = b->moved;
    b->moved = malloc((size_t)(b->size * bytes_of(b->type)) + 64);
    memcpy(b->moved, b->out[slot][i], (size_t)(b->size * bytes_of(b->type)));
    free(before);
    *data = b->moved;
    return 0;
  }
  *data = b->out[slot][i];
  return 0;
}

#ifdef WITH_BUFFERS
void *mlperf_backend_get_buffer(size_t n) {
  called(only, "get_buffer");
  if (defect(only, "get_buffer:null") || held == 2 * MAX_BATCH) return NULL;
  return buffers[held++] = malloc(n);
}

void mlperf_backend_release_buffer(void *p) {
  called(only, "release_buffer");
  if (!held || buffers[held - 1] != p) abort(); /* the last one first */
  held--;
  free(p);
}
#endif

#ifdef WITH_CONVERSION
/* Red and blue change places. */
static void swap(int bytes, int width, int height, uint8_t *data) {
  if (bytes != width * height * 3) abort();
  for (int i = 0; i < bytes; i += 3) {
    uint8_t red = data[i];
    data[i] = data[i + 2];
    data[i + 2] = red;
  }
}

void mlperf_backend_convert_inputs(void *p, int bytes, int width, int height, uint8_t *data) {
  called(p, "convert_inputs");
  swap(bytes, width, height, data);
}

void mlperf_backend_convert_outputs(void *p, int bytes, int width, int height, uint8_t *data) {
  called(p, "convert_outputs");
  swap(bytes, width, height, data);
}
#endif
