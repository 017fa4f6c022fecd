/* A stand-in for Qualcomm's libSNPE.so: the part of its C interface that the backend calls.
 *
 * It runs no network. Each output is twice the input of the same place, computed on the CPU. What it is for: the order of
 * calls, who owns a handle, the size and encoding of buffers, and what happens when a call fails.
 *
 * Its models are ZIP archives with a stored record "model": the bytes D5 0A 04 00 00 00 00 00, then lines of text:
 *
 *     stand-in 1
 *     input NAME float32|tf8|tf16|int32 STEP ZERO DIMENSION...
 *     output NAME float32|tf8|tf16|int32 STEP ZERO DIMENSION...
 *     only RUNTIME                  (a number of Snpe_Runtime_t: no other runtime can run it)
 *     type NAME NUMBER              (says this element type of a tensor, whatever it is)
 *
 * Environment: SNPE_STAND_IN_FAIL="SYMBOL[@N]=CODE|crash|exit|hang;...": the Nth call of SYMBOL, or each, fails so.
 * SNPE_STAND_IN_LOG: a file that gets a line for each call. SNPE_STAND_IN_RUNTIMES="0,2": those that are available.
 * SNPE_STAND_IN_VERSION: what it says of its version.
 *
 * Enumerations and declarations: DlEnums.h, IUserBuffer.h, DlError.h and the others of SNPE 2, see native/abi.py. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 16
enum kind { CONTAINER = 1, BUILDER, NETWORK, STRINGS, SHAPE, SHAPES, ATTRIBUTES, ENCODING, BUFFER, BUFFERS, RUNTIMES,
            VERSION, PLATFORM, OPTIONS, LOG };
enum { FLOAT32 = 1, UNSIGNED8 = 2, FLOAT16 = 3, TF8 = 10, TF16 = 11, INT32 = 12, UINT32, INT8, UINT8, INT16, UINT16,
       BOOL8, INT64, UINT64 };

struct tensor { char name[64]; int type; bool input; float step; uint64_t zero; size_t dims[16], rank; };
struct model { struct tensor tensors[MOST]; size_t count; int only; };
struct object {
  enum kind kind;
  bool alive, owned;
  char *names[MOST];
  struct object *items[MOST];
  size_t count;
  int numbers[MOST];          /* a runtime list; of a builder: runtimes */
  size_t dims[16], rank;      /* a shape */
  struct tensor tensor;       /* attributes; of an encoding: type, step and zero */
  struct object *encoding;    /* of attributes and buffers */
  struct model model;         /* of containers, builders and networks */
  bool user_buffers, profiled, cached;
  void *data;
  size_t size;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread int last_code;
static __thread char last_text[256];
static int live, violations;
static struct object *all[1 << 16];
static size_t all_count;

const char *snpe_stand_in(void) { return "it doubles numbers on the CPU and runs no network"; }
int snpe_stand_in_live(void) { return live; }
int snpe_stand_in_violations(void) { return violations; }

static void fail(int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  last_code = code;
  vsnprintf(last_text, sizeof last_text, format, arguments);
  va_end(arguments);
}

static void violate(const char *what) {
  violations++;
  fprintf(stderr, "SNPE stand-in: misuse: %s\n", what);
  fail(14, "misuse: %s", what);
}

/* Writes the call down; true when it shall fail. */
static bool enter(const char *format, ...) {
  static char seen[512];
  static int counts[16];
  char line[512], symbol[128], rules[512];
  va_list arguments;
  const char *path = getenv("SNPE_STAND_IN_LOG"), *asked = getenv("SNPE_STAND_IN_FAIL");
  pthread_mutex_lock(&mutex);
  if (!path && !asked) return false;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  snprintf(symbol, sizeof symbol, "%.*s", (int)strcspn(line, " "), line);
  FILE *file = path ? fopen(path, "a") : NULL;
  if (file) { fprintf(file, "%s\n", line); fclose(file); }
  if (!asked) return false;
  snprintf(rules, sizeof rules, "%s", asked);
  if (strcmp(seen, rules)) { memset(counts, 0, sizeof counts); snprintf(seen, sizeof seen, "%s", rules); }
  char *rest = rules;
  for (int rule = 0; rule < 16 && rest && *rest; rule++) {
    char *next = strchr(rest, ';'), *action = strchr(rest, '=');
    if (next) *next++ = 0;
    if (!action) abort();
    *action++ = 0;
    char *nth = strchr(rest, '@');
    if (nth) *nth++ = 0;
    if (!strcmp(rest, symbol) && ++counts[rule] && (!nth || counts[rule] == atoi(nth))) {
      if (!strcmp(action, "crash")) raise(SIGSEGV);
      if (!strcmp(action, "exit")) _exit(3);
      if (!strcmp(action, "hang")) for (;;) sleep(1);
      fail(atoi(action), "stand-in fault in %s", symbol);
      return true;
    }
    rest = next;
  }
  return false;
}
#define LEAVE(value) do { pthread_mutex_unlock(&mutex); return value; } while (0)
#define ENTER(failed, ...) if (enter(__VA_ARGS__)) LEAVE(failed)

static struct object *make(enum kind kind, bool owned) {
  struct object *made = calloc(1, sizeof *made);
  if (!made || all_count == sizeof all / sizeof *all) abort();
  made->kind = kind; made->alive = true; made->owned = owned;
  live += owned;
  return all[all_count++] = made;
}

/* The object behind a handle; objects are never given back, so that a dead handle is seen. */
static struct object *get(void *handle, enum kind kind) {
  if (!handle) { fail(13, "no handle"); return NULL; }
  for (size_t index = all_count; index-- > 0;)
    if (all[index] == handle) {
      if (all[index]->alive && all[index]->kind == kind) return handle;
      violate(all[index]->alive ? "a handle of another kind" : "a deleted handle");
      return NULL;
    }
  violate("not a handle");
  return NULL;
}

static int drop(void *handle, enum kind kind) {
  struct object *found = get(handle, kind);
  if (!found) return last_code;
  if (!found->owned) { violate("a borrowed handle is deleted"); return last_code; }
  if (kind == BUFFER)
    for (size_t index = 0; index < all_count; index++)
      if (all[index]->alive && all[index]->kind == BUFFERS)
        for (size_t item = 0; item < all[index]->count; item++)
          if (all[index]->items[item] == found) violate("a buffer is deleted while it is in a map");
  if (found->encoding) found->encoding->alive = false;
  found->alive = false;
  live--;
  return 0;
}
#define DELETE(name, kind) int Snpe_##name##_Delete(void *handle) { \
  ENTER(last_code, "Snpe_" #name "_Delete"); int code = drop(handle, kind); LEAVE(code); }
DELETE(DlContainer, CONTAINER) DELETE(SNPEBuilder, BUILDER) DELETE(SNPE, NETWORK) DELETE(StringList, STRINGS)
DELETE(TensorShape, SHAPE) DELETE(TensorShapeMap, SHAPES) DELETE(IBufferAttributes, ATTRIBUTES)
DELETE(UserBufferEncodingFloat, ENCODING) DELETE(UserBufferEncodingFloatN, ENCODING)
DELETE(UserBufferEncodingUnsigned8Bit, ENCODING) DELETE(UserBufferEncodingTfN, ENCODING)
DELETE(UserBufferEncodingIntN, ENCODING) DELETE(UserBufferEncodingUintN, ENCODING)
DELETE(UserBufferEncodingBool, ENCODING) DELETE(IUserBuffer, BUFFER) DELETE(UserBufferMap, BUFFERS)
DELETE(RuntimeList, RUNTIMES) DELETE(DlVersion, VERSION) DELETE(PlatformConfig, PLATFORM) DELETE(Options, OPTIONS)
#define CREATE(name, kind) void *Snpe_##name##_Create(void) { \
  ENTER(NULL, "Snpe_" #name "_Create"); void *made = make(kind, true); LEAVE(made); }
CREATE(StringList, STRINGS) CREATE(TensorShapeMap, SHAPES) CREATE(UserBufferMap, BUFFERS)
CREATE(RuntimeList, RUNTIMES) CREATE(PlatformConfig, PLATFORM)

int Snpe_ErrorCode_getLastErrorCode(void) { return last_code; }
const char *Snpe_ErrorCode_GetLastErrorString(void) { return last_text; }

/* Version and runtimes. */
void *Snpe_Util_GetLibraryVersion(void) {
  ENTER(NULL, "Snpe_Util_GetLibraryVersion");
  void *made = make(VERSION, true);
  LEAVE(made);
}
const char *Snpe_DlVersion_ToString(void *handle) {
  const char *asked = getenv("SNPE_STAND_IN_VERSION");
  ENTER(NULL, "Snpe_DlVersion_ToString");
  get(handle, VERSION);
  LEAVE(asked ? asked : "2.45.0.stand-in");
}
int32_t Snpe_DlVersion_GetMajor(void *handle) {
  const char *asked = getenv("SNPE_STAND_IN_VERSION");
  ENTER(0, "Snpe_DlVersion_GetMajor");
  get(handle, VERSION);
  LEAVE(asked ? atoi(asked) : 2);
}
static int available(int runtime) {
  const char *asked = getenv("SNPE_STAND_IN_RUNTIMES");
  for (const char *at = asked ? asked : "0,1,2,3"; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
    if (atoi(at) == runtime) return 1;
  return 0;
}
int Snpe_Util_IsRuntimeAvailable(int runtime) {
  ENTER(0, "Snpe_Util_IsRuntimeAvailable %d", runtime);
  LEAVE(available(runtime));
}
int Snpe_Util_IsRuntimeAvailableCheckOption(int runtime, int option) {
  ENTER(0, "Snpe_Util_IsRuntimeAvailableCheckOption %d %d", runtime, option);
  LEAVE(available(runtime));
}
int Snpe_Util_InitializeLogging(int level) { ENTER(0, "Snpe_Util_InitializeLogging %d", level); LEAVE(1); }
int Snpe_RuntimeList_Add(void *handle, int runtime) {
  ENTER(last_code, "Snpe_RuntimeList_Add %d", runtime);
  struct object *list = get(handle, RUNTIMES);
  if (!list || list->count == MOST) LEAVE(14);
  list->numbers[list->count++] = runtime;
  LEAVE(0);
}

/* Lists and shapes. */
static struct object *strings(void) { return make(STRINGS, true); }
static void append(struct object *list, const char *name) {
  if (list->count == MOST || !(list->names[list->count++] = strdup(name))) abort();
}
int Snpe_StringList_Append(void *handle, const char *name) {
  ENTER(last_code, "Snpe_StringList_Append %s", name);
  struct object *list = get(handle, STRINGS);
  if (list) append(list, name);
  LEAVE(list ? 0 : last_code);
}
size_t Snpe_StringList_Size(void *handle) {
  ENTER(0, "Snpe_StringList_Size");
  struct object *list = get(handle, STRINGS);
  LEAVE(list ? list->count : 0);
}
const char *Snpe_StringList_At(void *handle, size_t index) {
  ENTER("", "Snpe_StringList_At");
  struct object *list = get(handle, STRINGS);
  LEAVE(list && index < list->count ? list->names[index] : "");
}
static struct object *shape(const size_t *dims, size_t rank) {
  if (rank > 16) return NULL;
  struct object *made = make(SHAPE, true);
  made->rank = rank;
  if (rank) memcpy(made->dims, dims, rank * sizeof *dims);
  return made;
}
void *Snpe_TensorShape_CreateDimsSize(const size_t *dims, size_t rank) {
  ENTER(NULL, "Snpe_TensorShape_CreateDimsSize %zu", rank);
  void *made = shape(dims, rank);
  LEAVE(made);
}
size_t Snpe_TensorShape_Rank(void *handle) {
  ENTER(0, "Snpe_TensorShape_Rank");
  struct object *found = get(handle, SHAPE);
  LEAVE(found ? found->rank : 0);
}
size_t Snpe_TensorShape_At(void *handle, size_t index) {
  ENTER(0, "Snpe_TensorShape_At");
  struct object *found = get(handle, SHAPE);
  LEAVE(found && index < found->rank ? found->dims[index] : 0);
}
static int put(void *handle, enum kind kind, const char *name, struct object *item) {
  struct object *map = get(handle, kind);
  if (!map || !item) return last_code;
  if (map->count == MOST || !(map->names[map->count] = strdup(name))) abort();
  map->items[map->count++] = item;
  return 0;
}
int Snpe_TensorShapeMap_Add(void *map, const char *name, void *handle) {
  ENTER(last_code, "Snpe_TensorShapeMap_Add %s", name);
  struct object *from = get(handle, SHAPE), *copy = make(SHAPE, false);
  if (from) { copy->rank = from->rank; memcpy(copy->dims, from->dims, sizeof copy->dims); }
  int code = put(map, SHAPES, name, from ? copy : NULL);
  LEAVE(code);
}

/* Models. */
static bool parse(char *text, struct model *model) {
  char *line = strtok(text, "\n");
  if (!line || strcmp(line, "stand-in 1")) return false;
  for (model->only = -1; (line = strtok(NULL, "\n"));) {
    char role[16], name[64], type[16], place[64];
    float step; unsigned long long zero; int used, number;
    if (sscanf(line, "only %d", &model->only) == 1) continue;
    if (sscanf(line, "type %63s %d", place, &number) == 2) {
      for (size_t index = 0; index < model->count; index++)
        if (!strcmp(model->tensors[index].name, place)) model->tensors[index].type = number;
      continue;
    }
    if (sscanf(line, "%15s %63s %15s %f %llu%n", role, name, type, &step, &zero, &used) != 5) return false;
    if (model->count == MOST) return false;
    struct tensor *tensor = &model->tensors[model->count++];
    memset(tensor, 0, sizeof *tensor);
    memcpy(tensor->name, name, sizeof name);
    tensor->input = !strcmp(role, "input"); tensor->step = step; tensor->zero = zero;
    tensor->type = !strcmp(type, "tf8") ? TF8 : !strcmp(type, "tf16") ? TF16 : !strcmp(type, "int32") ? INT32 : FLOAT32;
    for (char *at = line + used, *end; tensor->rank < 16; at = end) {
      size_t value = strtoull(at, &end, 10);
      if (end == at) break;
      tensor->dims[tensor->rank++] = value;
    }
  }
  return model->count > 0;
}

static unsigned little(const unsigned char *at, int bytes) {
  unsigned value = 0;
  while (bytes--) value = value << 8 | at[bytes];
  return value;
}

void *Snpe_DlContainer_Open(const char *path) {
  ENTER(NULL, "Snpe_DlContainer_Open");
  FILE *file = fopen(path, "rb");
  unsigned char *data = malloc(1 << 20);
  if (!file || !data) { free(data); fail(102, "no such file"); LEAVE(NULL); }
  size_t size = fread(data, 1, 1 << 20, file), at = 0;
  fclose(file);
  void *made = NULL;
  while (at + 30 < size && little(data + at, 4) == 0x04034b50) {
    size_t stored = little(data + at + 18, 4), name = little(data + at + 26, 2), extra = little(data + at + 28, 2);
    size_t body = at + 30 + name + extra;
    if (body + stored > size) break;
    if (name == 5 && !memcmp(data + at + 30, "model", 5) && stored > 8 && little(data + at + 8, 2) == 0) {
      struct model model = {0};
      char *text = strndup((char *)data + body + 8, stored - 8);
      if (text && parse(text, &model)) {
        struct object *container = make(CONTAINER, true);
        container->model = model; container->data = data; container->size = size;
        made = container;
      }
      free(text);
      break;
    }
    at = body + stored;
  }
  if (!made) { free(data); fail(311, "not a model of the stand-in"); }
  LEAVE(made);
}
int Snpe_DlContainer_Save(void *handle, const char *path) {
  ENTER(last_code, "Snpe_DlContainer_Save");
  struct object *container = get(handle, CONTAINER);
  if (!container) LEAVE(last_code);
  if (!container->cached) { violate("a container without a cache is saved"); LEAVE(last_code); }
  FILE *file = fopen(path, "wb");
  if (!file) { fail(309, "cannot write"); LEAVE(309); }
  fwrite(container->data, 1, container->size, file);
  fclose(file);
  LEAVE(0);
}

/* The builder. */
void *Snpe_SNPEBuilder_Create(void *handle) {
  ENTER(NULL, "Snpe_SNPEBuilder_Create");
  struct object *container = get(handle, CONTAINER);
  if (!container) LEAVE(NULL);
  struct object *builder = make(BUILDER, true);
  builder->model = container->model;
  builder->items[0] = container;
  LEAVE(builder);
}
#define SET(name, type) int Snpe_SNPEBuilder_Set##name(void *handle, type value) { \
  ENTER(last_code, "Snpe_SNPEBuilder_Set" #name " %d", (int)value); \
  struct object *builder = get(handle, BUILDER); \
  LEAVE(builder ? 0 : last_code); }
SET(PerformanceProfile, int) SET(ExecutionPriorityHint, int) SET(CpuFixedPointMode, bool)
int Snpe_SNPEBuilder_SetProfilingLevel(void *handle, int level) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetProfilingLevel %d", level);
  struct object *builder = get(handle, BUILDER);
  if (builder) builder->profiled = level != 0;
  LEAVE(builder ? 0 : last_code);
}
int Snpe_SNPEBuilder_SetInitCacheMode(void *handle, int mode) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetInitCacheMode %d", mode);
  struct object *builder = get(handle, BUILDER);
  if (builder) builder->cached = mode;
  LEAVE(builder ? 0 : last_code);
}
int Snpe_SNPEBuilder_SetUseUserSuppliedBuffers(void *handle, int mode) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetUseUserSuppliedBuffers %d", mode);
  struct object *builder = get(handle, BUILDER);
  if (builder) builder->user_buffers = mode;
  LEAVE(builder ? 0 : last_code);
}
int Snpe_SNPEBuilder_SetRuntimeProcessorOrder(void *handle, void *list) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetRuntimeProcessorOrder");
  struct object *builder = get(handle, BUILDER), *runtimes = get(list, RUNTIMES);
  if (!builder || !runtimes) LEAVE(last_code);
  builder->count = runtimes->count;
  memcpy(builder->numbers, runtimes->numbers, sizeof builder->numbers);
  LEAVE(0);
}
static int choose(void *handle, void *list) {
  struct object *builder = get(handle, BUILDER), *names = get(list, STRINGS);
  if (!builder || !names) return last_code;
  struct model chosen = builder->model;
  chosen.count = 0;
  for (size_t index = 0; index < builder->model.count; index++)
    if (builder->model.tensors[index].input) chosen.tensors[chosen.count++] = builder->model.tensors[index];
  for (size_t name = 0; name < names->count; name++) {
    size_t before = chosen.count;
    for (size_t index = 0; index < builder->model.count; index++)
      if (!builder->model.tensors[index].input && !strcmp(builder->model.tensors[index].name, names->names[name]))
        chosen.tensors[chosen.count++] = builder->model.tensors[index];
    if (chosen.count == before) { fail(204, "no output %s", names->names[name]); return 204; }
  }
  builder->model = chosen;
  return 0;
}
int Snpe_SNPEBuilder_SetOutputTensors(void *handle, void *list) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetOutputTensors");
  int code = choose(handle, list);
  LEAVE(code);
}
int Snpe_SNPEBuilder_SetOutputLayers(void *handle, void *list) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetOutputLayers");
  int code = choose(handle, list);
  LEAVE(code);
}
int Snpe_SNPEBuilder_SetInputDimensions(void *handle, void *map) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetInputDimensions");
  struct object *builder = get(handle, BUILDER), *shapes = get(map, SHAPES);
  if (!builder || !shapes) LEAVE(last_code);
  for (size_t index = 0; index < builder->model.count; index++) {
    struct tensor *tensor = &builder->model.tensors[index];
    for (size_t item = 0; item < shapes->count; item++) {
      if (tensor->input && !strcmp(shapes->names[item], tensor->name))
        memcpy(tensor->dims, shapes->items[item]->dims, sizeof tensor->dims);
      if (!tensor->input && tensor->rank) tensor->dims[0] = shapes->items[0]->dims[0];
    }
  }
  LEAVE(0);
}
int Snpe_PlatformConfig_SetPlatformOptions(void *handle, const char *options) {
  ENTER(0, "Snpe_PlatformConfig_SetPlatformOptions %s", options);
  struct object *config = get(handle, PLATFORM);
  LEAVE(config && strchr(options, ':') != NULL);
}
int Snpe_SNPEBuilder_SetPlatformConfig(void *handle, void *config) {
  ENTER(last_code, "Snpe_SNPEBuilder_SetPlatformConfig");
  struct object *builder = get(handle, BUILDER), *platform = get(config, PLATFORM);
  LEAVE(builder && platform ? 0 : last_code);
}
void *Snpe_SNPEBuilder_Build(void *handle) {
  ENTER(NULL, "Snpe_SNPEBuilder_Build");
  struct object *builder = get(handle, BUILDER);
  if (!builder) LEAVE(NULL);
  if (!builder->count || !builder->user_buffers) { violate("built without runtimes or user buffers"); LEAVE(NULL); }
  if (!get(builder->items[0], CONTAINER)) LEAVE(NULL);
  bool placed = false;
  for (size_t index = 0; index < builder->count; index++)
    placed |= available(builder->numbers[index]) &&
              (builder->model.only < 0 || builder->model.only == builder->numbers[index]);
  if (!placed) { fail(1009, "layer could not be assigned"); LEAVE(NULL); }
  struct object *network = make(NETWORK, true);
  network->model = builder->model;
  network->profiled = builder->profiled;
  builder->items[0]->cached = builder->cached;
  LEAVE(network);
}

/* The network. */
static void *named(void *handle, bool input) {
  struct object *network = get(handle, NETWORK);
  if (!network) return NULL;
  struct object *list = strings();
  for (size_t index = 0; index < network->model.count; index++)
    if (network->model.tensors[index].input == input) append(list, network->model.tensors[index].name);
  return list;
}
void *Snpe_SNPE_GetInputTensorNames(void *handle) {
  ENTER(NULL, "Snpe_SNPE_GetInputTensorNames");
  void *list = named(handle, true);
  LEAVE(list);
}
void *Snpe_SNPE_GetOutputTensorNames(void *handle) {
  ENTER(NULL, "Snpe_SNPE_GetOutputTensorNames");
  void *list = named(handle, false);
  LEAVE(list);
}
static struct tensor *find(struct object *network, const char *name, bool input) {
  for (size_t index = 0; index < network->model.count; index++)
    if (network->model.tensors[index].input == input && !strcmp(network->model.tensors[index].name, name))
      return &network->model.tensors[index];
  return NULL;
}
void *Snpe_SNPE_GetInputOutputBufferAttributes(void *handle, const char *name) {
  ENTER(NULL, "Snpe_SNPE_GetInputOutputBufferAttributes %s", name);
  struct object *network = get(handle, NETWORK);
  if (!network) LEAVE(NULL);
  struct tensor *tensor = find(network, name, true);
  if (!tensor) tensor = find(network, name, false);
  if (!tensor) { fail(204, "no tensor %s", name); LEAVE(NULL); }
  struct object *made = make(ATTRIBUTES, true);
  made->tensor = *tensor;
  LEAVE(made);
}
void *Snpe_IBufferAttributes_GetDims(void *handle) {
  ENTER(NULL, "Snpe_IBufferAttributes_GetDims");
  struct object *attributes = get(handle, ATTRIBUTES);
  void *made = attributes ? shape(attributes->tensor.dims, attributes->tensor.rank) : NULL;
  LEAVE(made);
}
int Snpe_IBufferAttributes_GetEncodingType(void *handle) {
  ENTER(0, "Snpe_IBufferAttributes_GetEncodingType");
  struct object *attributes = get(handle, ATTRIBUTES);
  LEAVE(attributes ? attributes->tensor.type : 0);
}
void *Snpe_IBufferAttributes_GetEncoding_Ref(void *handle) {
  ENTER(NULL, "Snpe_IBufferAttributes_GetEncoding_Ref");
  struct object *attributes = get(handle, ATTRIBUTES);
  if (!attributes) LEAVE(NULL);
  if (!attributes->encoding) {
    attributes->encoding = make(ENCODING, false);
    attributes->encoding->tensor = attributes->tensor;
  }
  LEAVE(attributes->encoding);
}

/* Encodings and buffers. */
static void *encode(int type, float step, uint64_t zero) {
  struct object *made = make(ENCODING, true);
  made->tensor.type = type; made->tensor.step = step; made->tensor.zero = zero;
  return made;
}
void *Snpe_UserBufferEncodingFloat_Create(void) {
  ENTER(NULL, "Snpe_UserBufferEncodingFloat_Create");
  void *made = encode(FLOAT32, 0, 0);
  LEAVE(made);
}
void *Snpe_UserBufferEncodingTfN_Create(uint64_t zero, float step, uint8_t bits) {
  ENTER(NULL, "Snpe_UserBufferEncodingTfN_Create %llu %g %d", (unsigned long long)zero, step, bits);
  void *made = encode(bits == 8 ? TF8 : TF16, step, zero);
  LEAVE(made);
}
void *Snpe_UserBufferEncodingUnsigned8Bit_Create(void) {
  ENTER(NULL, "Snpe_UserBufferEncodingUnsigned8Bit_Create");
  void *made = encode(UNSIGNED8, 0, 0);
  LEAVE(made);
}
#define BITS(name, type) void *Snpe_UserBufferEncoding##name##_Create(uint8_t bits) { \
  ENTER(NULL, "Snpe_UserBufferEncoding" #name "_Create %d", bits); void *made = encode(type, 0, 0); LEAVE(made); }
BITS(FloatN, bits == 16 ? FLOAT16 : FLOAT32)
BITS(IntN, bits == 8 ? INT8 : bits == 16 ? INT16 : bits == 32 ? INT32 : INT64)
BITS(UintN, bits == 8 ? UINT8 : bits == 16 ? UINT16 : bits == 32 ? UINT32 : UINT64)
BITS(Bool, BOOL8)
uint64_t Snpe_UserBufferEncodingTfN_GetStepExactly0(void *handle) {
  ENTER(0, "Snpe_UserBufferEncodingTfN_GetStepExactly0");
  struct object *encoding = get(handle, ENCODING);
  LEAVE(encoding ? encoding->tensor.zero : 0);
}
float Snpe_UserBufferEncodingTfN_GetQuantizedStepSize(void *handle) {
  ENTER(0, "Snpe_UserBufferEncodingTfN_GetQuantizedStepSize");
  struct object *encoding = get(handle, ENCODING);
  LEAVE(encoding ? encoding->tensor.step : 0);
}
static size_t width(int type) {
  switch (type) {
    case UNSIGNED8: case TF8: case INT8: case UINT8: case BOOL8: return 1;
    case FLOAT16: case TF16: case INT16: case UINT16: return 2;
    case INT64: case UINT64: return 8;
    default: return 4;
  }
}
void *Snpe_Util_CreateUserBuffer(void *data, size_t size, void *strides, void *handle) {
  ENTER(NULL, "Snpe_Util_CreateUserBuffer %zu", size);
  struct object *steps = get(strides, SHAPE), *encoding = get(handle, ENCODING);
  if (!steps || !encoding) LEAVE(NULL);
  if (!data || (steps->rank && steps->dims[steps->rank - 1] != width(encoding->tensor.type))) {
    violate("strides do not fit the encoding");
    LEAVE(NULL);
  }
  struct object *buffer = make(BUFFER, true);
  buffer->data = data; buffer->size = size; buffer->tensor = encoding->tensor;
  buffer->rank = steps->rank;
  memcpy(buffer->dims, steps->dims, sizeof buffer->dims);
  LEAVE(buffer);
}
int Snpe_UserBufferMap_Add(void *map, const char *name, void *handle) {
  ENTER(last_code, "Snpe_UserBufferMap_Add %s", name);
  int code = put(map, BUFFERS, name, get(handle, BUFFER));
  LEAVE(code);
}

static double quantised(double real, float step, uint64_t zero, int type) {
  double most = type == TF8 ? 255 : 65535, stored = rint(real / step + (double)zero);
  return stored < 0 ? 0 : stored > most ? most : stored;
}
static double load(struct object *buffer, size_t index) {
  struct tensor *as = &buffer->tensor;
  switch (as->type) {
    case TF8: return as->step * (((uint8_t *)buffer->data)[index] - (double)as->zero);
    case TF16: return as->step * (((uint16_t *)buffer->data)[index] - (double)as->zero);
    case INT32: return ((int32_t *)buffer->data)[index];
    default: return ((float *)buffer->data)[index];
  }
}
static void store(struct object *buffer, size_t index, double real) {
  struct tensor *as = &buffer->tensor;
  switch (as->type) {
    case TF8: ((uint8_t *)buffer->data)[index] = (uint8_t)quantised(real, as->step, as->zero, TF8); break;
    case TF16: ((uint16_t *)buffer->data)[index] = (uint16_t)quantised(real, as->step, as->zero, TF16); break;
    case INT32: ((int32_t *)buffer->data)[index] = (int32_t)real; break;
    default: ((float *)buffer->data)[index] = (float)real;
  }
}
/* The buffer of a tensor: packed, large enough, and of the model's element type or float32. */
static struct object *bound(struct object *map, struct tensor *tensor, size_t *count) {
  for (size_t index = 0; index < map->count; index++) {
    struct object *buffer = map->items[index];
    if (strcmp(map->names[index], tensor->name)) continue;
    if (!get(buffer, BUFFER)) return NULL;
    size_t bytes = width(buffer->tensor.type);
    if (buffer->rank != tensor->rank) { fail(211, "the rank of %s", tensor->name); return NULL; }
    for (size_t axis = tensor->rank; axis-- > 0; bytes *= tensor->dims[axis])
      if (buffer->dims[axis] != bytes) { fail(211, "the strides of %s", tensor->name); return NULL; }
    if (buffer->size != bytes) { fail(203, "the size of %s", tensor->name); return NULL; }
    if (buffer->tensor.type != tensor->type && buffer->tensor.type != FLOAT32) {
      fail(240, "the encoding of %s", tensor->name);
      return NULL;
    }
    *count = bytes / width(buffer->tensor.type);
    return buffer;
  }
  fail(212, "no buffer for %s", tensor->name);
  return NULL;
}
static double rounded(double real, struct tensor *as) {
  if (as->type != TF8 && as->type != TF16) return real;
  return as->step * (quantised(real, as->step, as->zero, as->type) - (double)as->zero);
}
static int execute(struct object *network, struct object *inputs, struct object *outputs) {
  struct tensor *ins[MOST];
  size_t in_count = 0, done = 0, in_size, out_size;
  for (size_t index = 0; index < network->model.count; index++)
    if (network->model.tensors[index].input) ins[in_count++] = &network->model.tensors[index];
  for (size_t index = 0; index < network->model.count; index++) {
    struct tensor *out = &network->model.tensors[index];
    if (out->input) continue;
    struct tensor *in = ins[done++ % in_count];
    struct object *from = bound(inputs, in, &in_size);
    struct object *to = from ? bound(outputs, out, &out_size) : NULL;
    if (!to) return last_code;
    for (size_t item = 0; item < out_size && item < in_size; item++)
      store(to, item, rounded(2 * rounded(load(from, item), in), out));
  }
  if (inputs->count != in_count || outputs->count != done) { fail(210, "the number of buffers"); return 210; }
  return 0;
}
int Snpe_SNPE_ExecuteUserBuffers(void *handle, void *input, void *output) {
  ENTER(last_code, "Snpe_SNPE_ExecuteUserBuffers");
  struct object *network = get(handle, NETWORK), *inputs = get(input, BUFFERS), *outputs = get(output, BUFFERS);
  int code = network && inputs && outputs ? execute(network, inputs, outputs) : last_code;
  LEAVE(code);
}

/* The profile. */
void *Snpe_SNPE_GetDiagLogInterface_Ref(void *handle) {
  ENTER(NULL, "Snpe_SNPE_GetDiagLogInterface_Ref");
  struct object *network = get(handle, NETWORK);
  if (!network || !network->profiled) LEAVE(NULL);
  struct object *log = make(LOG, false);
  LEAVE(log);
}
void *Snpe_IDiagLog_GetOptions(void *handle) {
  ENTER(NULL, "Snpe_IDiagLog_GetOptions");
  struct object *log = get(handle, LOG), *options = log ? make(OPTIONS, true) : NULL;
  LEAVE(options);
}
void Snpe_Options_SetLogFileDirectory(void *handle, const char *path) {
  if (enter("Snpe_Options_SetLogFileDirectory")) { pthread_mutex_unlock(&mutex); return; }
  struct object *options = get(handle, OPTIONS);
  if (options) append(options, path);
  pthread_mutex_unlock(&mutex);
}
int Snpe_IDiagLog_SetOptions(void *handle, void *chosen) {
  ENTER(last_code, "Snpe_IDiagLog_SetOptions");
  struct object *log = get(handle, LOG), *options = get(chosen, OPTIONS);
  if (!log || !options || !options->count) LEAVE(208);
  append(log, options->names[0]);
  LEAVE(0);
}
int Snpe_IDiagLog_Start(void *handle) {
  ENTER(last_code, "Snpe_IDiagLog_Start");
  char path[4096];
  struct object *log = get(handle, LOG);
  if (!log || !log->count) LEAVE(208);
  snprintf(path, sizeof path, "%s/SNPEDiag_0.log", log->names[0]);
  FILE *file = fopen(path, "w");
  if (!file) LEAVE(208);
  fputs("written by the SNPE stand-in\n", file);
  fclose(file);
  LEAVE(0);
}
int Snpe_IDiagLog_Stop(void *handle) {
  ENTER(last_code, "Snpe_IDiagLog_Stop");
  struct object *log = get(handle, LOG);
  LEAVE(log ? 0 : last_code);
}
