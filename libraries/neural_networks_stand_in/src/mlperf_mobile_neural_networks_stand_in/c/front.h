/* The functions that NNAPI and the Neuron adapter have in common. A front defines F(name), the symbol, and R(status), its result
 * code, and includes this once. */

NN_EXPORT int F(_getDeviceCount)(uint32_t *count)
{
    NN_ENTER();
    if (!count) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the count is null"));
    *count = nn_device_count();
    return R(NN_NO_ERROR);
}

NN_EXPORT int F(_getDevice)(uint32_t index, const Device **device)
{
    NN_ENTER();
    if (!device) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the device is null"));
    *device = nn_device(index);
    return *device ? R(NN_NO_ERROR) : R(nn_fail(NN_BAD_DATA, "there is no device %u", index));
}

NN_EXPORT uint64_t F(_getDefaultLoopTimeout)(void) { return UINT64_C(2000000000); }
NN_EXPORT uint64_t F(_getMaximumLoopTimeout)(void) { return UINT64_C(15000000000); }

static int check_device(const void *device)
{
    if (!device) return nn_fail(NN_UNEXPECTED_NULL, "the device is null");
    return nn_device_of(device) ? NN_NO_ERROR : nn_fail(NN_BAD_DATA, "the device is not from this library");
}

NN_EXPORT int F(Device_getName)(const Device *device, const char **name)
{
    NN_ENTER();
    int status = check_device(device);
    if (status) return R(status);
    if (!name) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the name is null"));
    *name = device->name;
    return R(NN_NO_ERROR);
}

NN_EXPORT int F(Memory_createFromFd)(size_t size, int protect, int fd, size_t offset, Memory **memory)
{
    NN_ENTER();
    return R(nn_memory_from_fd(size, protect, fd, offset, memory));
}

NN_EXPORT void F(Memory_free)(Memory *memory)
{
    NN_ENTER_VOID();
    nn_memory_free(memory, __func__);
}

NN_EXPORT int F(Model_create)(Model **model)
{
    NN_ENTER();
    if (!model) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the model is null"));
    *model = nn_model_new();
    (*model)->neuron = IS_NEURON;
    return R(NN_NO_ERROR);
}

NN_EXPORT void F(Model_free)(Model *model)
{
    NN_ENTER_VOID();
    nn_model_free(model, __func__);
}

NN_EXPORT int F(Model_finish)(Model *model)
{
    NN_ENTER();
    return R(nn_model_finish(model));
}

NN_EXPORT int F(Model_addOperand)(Model *model, const OperandType *type)
{
    NN_ENTER();
    return R(nn_model_add_operand(model, type));
}

NN_EXPORT int F(Model_setOperandValue)(Model *model, int32_t index, const void *buffer, size_t length)
{
    NN_ENTER();
    return R(nn_model_set_value(model, index, buffer, length));
}

NN_EXPORT int F(Model_setOperandValueFromModel)(Model *model, int32_t index, const Model *value)
{
    NN_ENTER();
    (void)index;
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (!status) status = nn_check(value, NN_MODEL_OBJECT);
    return R(status ? status : nn_fail(NN_BAD_DATA, "the stand-in has no operation with a model operand"));
}

NN_EXPORT int F(Model_setOperandSymmPerChannelQuantParams)(Model *model, int32_t index, const ChannelQuant *quant)
{
    NN_ENTER();
    return R(nn_model_set_channels(model, index, quant));
}

NN_EXPORT int F(Model_addOperation)(Model *model, int32_t code, uint32_t inputs, const uint32_t *in, uint32_t outputs,
                                    const uint32_t *out)
{
    NN_ENTER();
    return R(nn_model_add_operation(model, code, inputs, in, outputs, out));
}

NN_EXPORT int F(Model_identifyInputsAndOutputs)(Model *model, uint32_t inputs, const uint32_t *in, uint32_t outputs,
                                                const uint32_t *out)
{
    NN_ENTER();
    return R(nn_model_identify(model, inputs, in, outputs, out));
}

NN_EXPORT int F(Model_relaxComputationFloat32toFloat16)(Model *model, bool allow)
{
    NN_ENTER();
    return R(nn_model_relax(model, allow));
}

NN_EXPORT int F(Model_getSupportedOperationsForDevices)(const Model *model, const void *const *devices, uint32_t count,
                                                        bool *supported)
{
    NN_ENTER();
    return R(nn_supported(model, devices, count, supported));
}

NN_EXPORT int F(Compilation_create)(Model *model, Compilation **compilation)
{
    NN_ENTER();
    int status = nn_compilation_new(model, NULL, 0, compilation);
    if (!status) (*compilation)->explicit_devices = IS_NEURON; /* NNAPI's CPU steps in for other devices, the adapter has none */
    return R(status);
}

NN_EXPORT int F(Compilation_createForDevices)(Model *model, const void *const *devices, uint32_t count, Compilation **compilation)
{
    NN_ENTER();
    if (!devices) return R(nn_fail(NN_UNEXPECTED_NULL, "the devices are null"));
    return R(nn_compilation_new(model, devices, count, compilation));
}

NN_EXPORT void F(Compilation_free)(Compilation *compilation)
{
    NN_ENTER_VOID();
    nn_compilation_free(compilation, __func__);
}

NN_EXPORT int F(Compilation_finish)(Compilation *compilation)
{
    NN_ENTER();
    return R(nn_compilation_finish(compilation));
}

NN_EXPORT int F(Compilation_setCaching)(Compilation *compilation, const char *dir, const uint8_t *token)
{
    NN_ENTER();
    return R(nn_compilation_set_caching(compilation, dir, token));
}

NN_EXPORT int F(Compilation_setPreference)(Compilation *compilation, int32_t preference)
{
    NN_ENTER();
    int status = nn_compilation_open(compilation);
    if (status) return R(status);
    if (preference < 0 || preference > LAST_PREFERENCE) return R(nn_fail(NN_BAD_DATA, "unknown preference %d", preference));
    compilation->preference = preference;
    return R(NN_NO_ERROR);
}

NN_EXPORT int F(Compilation_setPriority)(Compilation *compilation, int priority)
{
    NN_ENTER();
    int status = nn_compilation_open(compilation);
    if (status) return R(status);
    if (priority != 90 && priority != 100 && priority != 110) return R(nn_fail(NN_BAD_DATA, "unknown priority %d", priority));
    compilation->priority = priority;
    return R(NN_NO_ERROR);
}

NN_EXPORT int F(Execution_create)(Compilation *compilation, Execution **execution)
{
    NN_ENTER();
    int status = nn_execution_new(compilation, execution);
    if (!status) (*execution)->reusable = (*execution)->lenient = IS_NEURON;
    return R(status);
}

NN_EXPORT void F(Execution_free)(Execution *execution)
{
    NN_ENTER_VOID();
    nn_execution_free(execution, __func__);
}

NN_EXPORT int F(Execution_setInput)(Execution *execution, int32_t index, const OperandType *type, const void *buffer, size_t length)
{
    NN_ENTER();
    return R(nn_execution_set(execution, false, index, type, (void *)buffer, length));
}

NN_EXPORT int F(Execution_setOutput)(Execution *execution, int32_t index, const OperandType *type, void *buffer, size_t length)
{
    NN_ENTER();
    return R(nn_execution_set(execution, true, index, type, buffer, length));
}

NN_EXPORT int F(Execution_setInputFromMemory)(Execution *execution, int32_t index, const OperandType *type, const Memory *memory,
                                              size_t offset, size_t length)
{
    NN_ENTER();
    return R(nn_execution_set_memory(execution, false, index, type, memory, offset, length));
}

NN_EXPORT int F(Execution_setOutputFromMemory)(Execution *execution, int32_t index, const OperandType *type, const Memory *memory,
                                               size_t offset, size_t length)
{
    NN_ENTER();
    return R(nn_execution_set_memory(execution, true, index, type, memory, offset, length));
}

NN_EXPORT int F(Execution_compute)(Execution *execution)
{
    NN_ENTER();
    return R(nn_execution_compute(execution));
}

NN_EXPORT int F(Execution_startComputeWithDependencies)(Execution *execution, Event *const *dependencies, uint32_t count,
                                                        uint64_t duration, Event **event)
{
    NN_ENTER();
    (void)duration;
    if (count && !dependencies) return R(nn_fail(NN_UNEXPECTED_NULL, "the events to wait for are null"));
    for (uint32_t i = 0; i < count; i++) {
        int status = nn_event_wait(dependencies[i]);
        if (status) return R(status);
    }
    return R(nn_execution_start(execution, event));
}

NN_EXPORT int F(Execution_setLoopTimeout)(Execution *execution, uint64_t duration)
{
    NN_ENTER();
    (void)duration;
    return R(nn_check(execution, NN_EXECUTION_OBJECT));
}

NN_EXPORT int F(Execution_getOutputOperandRank)(Execution *execution, int32_t index, uint32_t *rank)
{
    NN_ENTER();
    const Tensor *t = NULL;
    if (!rank) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the rank is null"));
    int status = nn_execution_output(execution, index, &t);
    if (!status) *rank = t->rank;
    return R(status);
}

NN_EXPORT int F(Execution_getOutputOperandDimensions)(Execution *execution, int32_t index, uint32_t *dimensions)
{
    NN_ENTER();
    const Tensor *t = NULL;
    if (!dimensions) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the dimensions is null"));
    int status = nn_execution_output(execution, index, &t);
    if (status) return R(status);
    if (!nn_is_tensor(t->type)) return R(nn_fail(NN_BAD_DATA, "a scalar has no dimensions"));
    for (uint32_t i = 0; i < t->rank; i++) dimensions[i] = t->dims[i];
    return R(NN_NO_ERROR);
}

NN_EXPORT int F(Event_wait)(Event *event)
{
    NN_ENTER();
    return R(nn_event_wait(event));
}

NN_EXPORT void F(Event_free)(Event *event)
{
    NN_ENTER_VOID();
    nn_event_free(event, __func__);
}

/* The stand-in has no sync fences, as a device without them. */
NN_EXPORT int F(Event_createFromSyncFenceFd)(int fd, Event **event)
{
    NN_ENTER();
    if (!event) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the event is null"));
    *event = NULL;
    return R(nn_fail(NN_BAD_DATA, "descriptor %d is not a sync fence; the stand-in has none", fd));
}

NN_EXPORT int F(Event_getSyncFenceFd)(const Event *event, int *fd)
{
    NN_ENTER();
    if (!fd) return R(nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the descriptor is null"));
    *fd = -1;
    int status = nn_check(event, NN_EVENT_OBJECT);
    return R(status ? status : nn_fail(NN_BAD_DATA, "the event has no sync fence"));
}
