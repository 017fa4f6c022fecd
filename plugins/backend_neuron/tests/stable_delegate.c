/* A stand-in for the Neuron stable delegate: the stable delegate interface around the test delegate of backend_tflite,
 * which takes float additions and really adds.
 *
 * The interface: tensorflow/lite/core/acceleration/configuration/c/{stable_delegate,delegate_plugin}.h. Its settings, a
 * flatbuffer, are written to the file that STABLE_DELEGATE_SAW names; STABLE_DELEGATE_TAKE is the option `take`.
 */
#include "test_delegate.c"

#include <stdio.h>

#ifndef ABI_VERSION
#define ABI_VERSION "1.0.0"
#endif

typedef struct {
  TfLiteDelegate* (*create)(const void*);
  void (*destroy)(TfLiteDelegate*);
  int (*get_delegate_errno)(TfLiteDelegate*);
} Plugin;

typedef struct {
  const char *delegate_abi_version, *delegate_name, *delegate_version;
  const Plugin* delegate_plugin;
} StableDelegate;

/* Where a field of a flatbuffer's table is; NULL: it is left out. */
static const uint8_t* field(const uint8_t* table, int id) {
  int32_t back;
  uint16_t length, offset = 0;
  memcpy(&back, table, 4);
  memcpy(&length, table - back, 2);
  if (4 + 2 * id < length) memcpy(&offset, table - back + 4 + 2 * id, 2);
  return offset ? table + offset : NULL;
}

static const uint8_t* follow(const uint8_t* slot) {
  uint32_t forward;
  if (!slot) return NULL;
  memcpy(&forward, slot, 4);
  return slot + forward;
}

static int32_t number(const uint8_t* slot) {
  int32_t value = 0;
  if (slot) memcpy(&value, slot, 4);
  return value;
}

static void texts(FILE* file, const char* name, const uint8_t* vector) {
  fprintf(file, "%s", name);
  for (int32_t i = 0; i < number(vector); i++) fprintf(file, " %s", follow(vector + 4 + 4 * i) + 4);
  fprintf(file, "\n");
}

static void tell(const void* settings) {
  const char* place = getenv("STABLE_DELEGATE_SAW");
  FILE* file = place ? fopen(place, "w") : NULL;
  if (!file) return;
  const uint8_t* neuron = follow(field(settings, 16)); /* mtk_neuron_settings of configuration.proto */
  fprintf(file, "execution_preference %d\n", number(field(neuron, 0)));
  fprintf(file, "execution_priority %d\n", number(field(neuron, 1)));
  const uint8_t* hints = follow(field(neuron, 2));
  fprintf(file, "optimization_hints");
  for (int32_t i = 0; i < number(hints); i++) fprintf(file, " %d", number(hints + 4 + 4 * i));
  fprintf(file, "\noperation_check_mode %d\n", number(field(neuron, 3)));
  fprintf(file, "allow_fp16_precision_for_fp32 %d\n", field(neuron, 4) ? *field(neuron, 4) : 0);
  fprintf(file, "use_ahwb %d\n", field(neuron, 5) ? *field(neuron, 5) : 0);
  texts(file, "compile_options", follow(field(neuron, 7)));
  texts(file, "accelerator_names", follow(field(neuron, 8)));
  fprintf(file, "inference_abort_time_ms %d\n", number(field(neuron, 11)));
  fclose(file);
}

static void forget(const char* error) { (void)error; }

static TfLiteDelegate* create(const void* settings) {
  tell(settings);
  const char* take = getenv("STABLE_DELEGATE_TAKE");
  if (take && !strcmp(take, "nothing at all")) return NULL;
  const char* key = "take";
  return tflite_plugin_create_delegate(&key, &take, take ? 1 : 0, forget);
}

static int no_errno(TfLiteDelegate* delegate) {
  (void)delegate;
  return 0;
}

static const Plugin plugin = {create, tflite_plugin_destroy_delegate, no_errno};

__attribute__((visibility("default"))) const StableDelegate TFL_TheStableDelegate = {
    ABI_VERSION, "mtk_neuron_delegate", "1.4.3", &plugin};

__attribute__((visibility("default"))) const char* neural_networks_stand_in(void) {
  return "a stand-in for MediaTek's stable delegate: it runs on the CPU";
}
