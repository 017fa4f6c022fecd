/* A delegate for tests: it takes float ADD operations without activation, and really adds.
 *
 * It is loaded like a vendor's external delegate, through tflite_plugin_create_delegate and
 * tflite_plugin_destroy_delegate (tensorflow/lite/delegates/external/external_delegate_interface.h).
 * The structures below declare the fields that it uses, and those before them, with the layout of the TensorFlow
 * Lite C API (tensorflow/lite/core/c/common.h: the order is "semi-ABI stable", fields are only added at the end).
 *
 * Options (all optional):
 *   take     how many ADD operations to take at most; all of them by default
 *   dynamic  "1": say that tensors may change their size after delegation (kTfLiteDelegateFlagsAllowDynamicTensors)
 *   fail     "create", "apply", "prepare" or "invoke": fail at that point
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef enum { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
enum { kTfLiteFloat32 = 1 };                             /* TfLiteType, c_api_types.h */
enum { kBuiltinAdd = 0 };                                /* BuiltinOperator.ADD, schema.fbs */
enum { kAllowDynamicTensors = 1 };                       /* TfLiteDelegateFlags */
typedef struct { int size; int data[]; } TfLiteIntArray;
typedef struct { int activation; } TfLiteAddParams;      /* builtin_op_data.h: 0 is none */
typedef struct TfLiteContext TfLiteContext;
typedef struct TfLiteDelegate TfLiteDelegate;

typedef struct {
  int type;
  void* data;
  TfLiteIntArray* dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  TfLiteDelegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  struct { int type; void* params; } quantization;
  void* sparsity;
  const TfLiteIntArray* dims_signature;
} TfLiteTensor;

typedef struct {
  TfLiteIntArray *inputs, *outputs, *intermediates, *temporaries;
  void* user_data;
  void* builtin_data;
} TfLiteNode; /* the runtime owns these, so the fields after builtin_data need no declaration */

typedef struct {
  void* (*init)(TfLiteContext*, const char*, size_t);
  void (*free)(TfLiteContext*, void*);
  TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*);
  TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*);
  const char* (*profiling_string)(const TfLiteContext*, const TfLiteNode*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
} TfLiteRegistration;

struct TfLiteContext {
  size_t tensors_size;
  TfLiteStatus (*GetExecutionPlan)(TfLiteContext*, TfLiteIntArray**);
  TfLiteTensor* tensors;
  void* impl_;
  TfLiteStatus (*ResizeTensor)(TfLiteContext*, TfLiteTensor*, TfLiteIntArray*);
  void (*ReportError)(TfLiteContext*, const char*, ...);
  TfLiteStatus (*AddTensors)(TfLiteContext*, int, int*);
  TfLiteStatus (*GetNodeAndRegistration)(TfLiteContext*, int, TfLiteNode**, TfLiteRegistration**);
  TfLiteStatus (*ReplaceNodeSubsetsWithDelegateKernels)(TfLiteContext*, TfLiteRegistration, const TfLiteIntArray*,
                                                        TfLiteDelegate*);
};

struct TfLiteDelegate {
  void* data_;
  TfLiteStatus (*Prepare)(TfLiteContext*, TfLiteDelegate*);
  TfLiteStatus (*CopyFromBufferHandle)(TfLiteContext*, TfLiteDelegate*, int, TfLiteTensor*);
  TfLiteStatus (*CopyToBufferHandle)(TfLiteContext*, TfLiteDelegate*, int, TfLiteTensor*);
  void (*FreeBufferHandle)(TfLiteContext*, TfLiteDelegate*, int*);
  int64_t flags;
  void* opaque_delegate_builder;
};

typedef struct { /* builtin_data of a delegate's node, and the buffer given to init */
  TfLiteDelegate* delegate;
  TfLiteIntArray *nodes_to_replace, *input_tensors, *output_tensors;
} TfLiteDelegateParams;

typedef struct { int take; char fail[16]; } Settings;
typedef struct { int left, right, sum; } Add;
typedef struct { int count; const Settings* settings; Add adds[]; } Kernel;

static void* kernel_init(TfLiteContext* context, const char* buffer, size_t length) {
  const TfLiteDelegateParams* params = (const TfLiteDelegateParams*)buffer;
  int count = params->nodes_to_replace->size;
  (void)length;
  Kernel* kernel = malloc(sizeof(Kernel) + (size_t)count * sizeof(Add));
  kernel->count = count;
  kernel->settings = params->delegate->data_;
  for (int i = 0; i < count; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, params->nodes_to_replace->data[i], &node, &registration);
    kernel->adds[i] = (Add){node->inputs->data[0], node->inputs->data[1], node->outputs->data[0]};
  }
  return kernel;
}

static void kernel_free(TfLiteContext* context, void* kernel) {
  (void)context;
  free(kernel);
}

static bool same_shape(const TfLiteIntArray* a, const TfLiteIntArray* b) {
  return a->size == b->size && !memcmp(a->data, b->data, (size_t)a->size * sizeof(int));
}

static TfLiteStatus resize_like(TfLiteContext* context, TfLiteTensor* tensor, const TfLiteTensor* model) {
  size_t bytes = sizeof(TfLiteIntArray) + (size_t)model->dims->size * sizeof(int);
  TfLiteIntArray* dims = malloc(bytes); /* ResizeTensor frees it */
  memcpy(dims, model->dims, bytes);
  return context->ResizeTensor(context, tensor, dims);
}

static TfLiteStatus kernel_prepare(TfLiteContext* context, TfLiteNode* node) {
  const Kernel* kernel = node->user_data;
  if (!strcmp(kernel->settings->fail, "prepare")) {
    context->ReportError(context, "the test delegate fails in prepare");
    return kTfLiteError;
  }
  for (int i = 0; i < kernel->count; i++) {
    const Add* add = &kernel->adds[i];
    const TfLiteTensor* left = &context->tensors[add->left];
    if (!same_shape(left->dims, context->tensors[add->right].dims)) return kTfLiteError;
    if (resize_like(context, &context->tensors[add->sum], left) != kTfLiteOk) return kTfLiteError;
  }
  return kTfLiteOk;
}

/* A sum that stays inside the partition has no memory of its own: keep it in a scratch buffer. */
static TfLiteStatus kernel_invoke(TfLiteContext* context, TfLiteNode* node) {
  const Kernel* kernel = node->user_data;
  if (!strcmp(kernel->settings->fail, "invoke")) {
    context->ReportError(context, "the test delegate fails in invoke");
    return kTfLiteError;
  }
  float** scratch = calloc(context->tensors_size, sizeof(float*));
  for (int i = 0; i < kernel->count; i++) {
    const Add* add = &kernel->adds[i];
    const TfLiteTensor* out = &context->tensors[add->sum];
    bool leaves = false;
    for (int j = 0; j < node->outputs->size; j++) leaves |= node->outputs->data[j] == add->sum;
    float* sum = leaves ? out->data : (scratch[add->sum] = malloc(out->bytes));
    const float* left = scratch[add->left] ? scratch[add->left] : context->tensors[add->left].data;
    const float* right = scratch[add->right] ? scratch[add->right] : context->tensors[add->right].data;
    for (size_t k = 0; k < out->bytes / sizeof(float); k++) sum[k] = left[k] + right[k];
  }
  for (size_t i = 0; i < context->tensors_size; i++) free(scratch[i]);
  free(scratch);
  return kTfLiteOk;
}

static TfLiteStatus delegate_prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  const Settings* settings = delegate->data_;
  if (!strcmp(settings->fail, "apply")) {
    context->ReportError(context, "the test delegate fails in apply");
    return kTfLiteError;
  }
  TfLiteIntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  int size = plan->size;
  TfLiteIntArray* steps = malloc(sizeof(TfLiteIntArray) + (size_t)size * sizeof(int));
  TfLiteIntArray* taken = malloc(sizeof(TfLiteIntArray) + (size_t)size * sizeof(int));
  memcpy(steps->data, plan->data, (size_t)size * sizeof(int));
  taken->size = 0;
  for (int i = 0; i < size && taken->size < settings->take; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, steps->data[i], &node, &registration);
    if (registration->builtin_code != kBuiltinAdd || ((TfLiteAddParams*)node->builtin_data)->activation != 0) continue;
    const TfLiteTensor* left = &context->tensors[node->inputs->data[0]];
    const TfLiteTensor* right = &context->tensors[node->inputs->data[1]];
    if (left->type == kTfLiteFloat32 && same_shape(left->dims, right->dims)) taken->data[taken->size++] = steps->data[i];
  }
  TfLiteRegistration kernel = {
      .init = kernel_init, .free = kernel_free, .prepare = kernel_prepare, .invoke = kernel_invoke,
      .custom_name = "TestDelegate", .version = 1};
  TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, taken, delegate);
  free(steps);
  free(taken);
  return status;
}

__attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) {
  if (!delegate) return;
  free(delegate->data_);
  free(delegate);
}

__attribute__((visibility("default"))) TfLiteDelegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* values, size_t count, void (*report_error)(const char*)) {
  Settings settings = {.take = 1 << 30};
  int64_t flags = 0;
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "take")) settings.take = atoi(values[i]);
    else if (!strcmp(keys[i], "dynamic")) flags = atoi(values[i]) ? kAllowDynamicTensors : 0;
    else if (!strcmp(keys[i], "fail")) strncpy(settings.fail, values[i], sizeof(settings.fail) - 1);
    else { report_error("the test delegate knows no such option"); return NULL; }
  }
  if (!strcmp(settings.fail, "create")) { report_error("the test delegate fails in create"); return NULL; }
  TfLiteDelegate* delegate = calloc(1, sizeof(TfLiteDelegate));
  delegate->data_ = malloc(sizeof(Settings));
  *(Settings*)delegate->data_ = settings;
  delegate->Prepare = delegate_prepare;
  delegate->flags = flags;
  return delegate;
}
