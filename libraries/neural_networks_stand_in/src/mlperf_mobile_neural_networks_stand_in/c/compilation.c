/* Compilations: settings, the cache, and the step from a model to a program. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "nn.h"

int nn_compilation_new(Model *model, const void *const *devices, uint32_t count, Compilation **compilation)
{
    int status = nn_check(model, NN_MODEL_OBJECT);
    if (status) return status;
    if (!compilation) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the compilation is null");
    *compilation = NULL;
    if (!model->finished) return nn_fail(NN_BAD_STATE, "the model is not finished");
    if (model->restored) return nn_fail(NN_BAD_STATE, "a restored model cannot be compiled again");
    if (devices && (!count || count > 16)) return nn_fail(NN_BAD_DATA, "the number of devices is wrong");
    Compilation *c = nn_new(NN_COMPILATION_OBJECT, sizeof *c);
    *c = (Compilation){.model = model, .explicit_devices = devices != NULL, .preference = 1, .priority = 100};
    uint32_t all = devices ? count : nn_device_count();
    for (uint32_t i = 0; i < all; i++) {
        const Device *device = devices ? nn_device_of(devices[i]) : nn_device(i);
        for (uint32_t j = 0; j < i && device; j++)
            if (c->devices[j] == device) device = NULL;
        if (!device) {
            nn_forget(c, NN_COMPILATION_OBJECT, "");
            free(c);
            return nn_fail(devices[i] ? NN_BAD_DATA : NN_UNEXPECTED_NULL, "a device is null, listed twice, or not from this library");
        }
        c->devices[c->device_count++] = device;
    }
    __atomic_add_fetch(&model->users, 1, __ATOMIC_ACQ_REL);
    *compilation = c;
    return NN_NO_ERROR;
}

void nn_compilation_free(Compilation *compilation, const char *who)
{
    if (compilation && nn_check(compilation, NN_COMPILATION_OBJECT) == NN_NO_ERROR &&
        __atomic_load_n(&compilation->users, __ATOMIC_ACQUIRE))
        nn_abort("%s: an execution or burst of this compilation is still alive, and the compilation must outlive it", who);
    if (!nn_forget(compilation, NN_COMPILATION_OBJECT, who)) return;
    __atomic_sub_fetch(&compilation->model->users, 1, __ATOMIC_ACQ_REL);
    nn_program_drop(compilation->program);
    free(compilation->cache_dir);
    free(compilation->options);
    free(compilation);
}

int nn_compilation_open(Compilation *compilation)
{
    int status = nn_check(compilation, NN_COMPILATION_OBJECT);
    if (status) return status;
    return compilation->finished ? nn_fail(NN_BAD_STATE, "the compilation is finished") : NN_NO_ERROR;
}

int nn_compilation_set_caching(Compilation *compilation, const char *dir, const uint8_t *token)
{
    int status = nn_compilation_open(compilation);
    if (status) return status;
    if (!dir || !token) return nn_fail(NN_UNEXPECTED_NULL, "the cache folder or the token is null");
    free(compilation->cache_dir);
    compilation->cache_dir = strdup(dir);
    memcpy(compilation->token, token, NN_TOKEN_BYTES);
    return NN_NO_ERROR;
}

static void cache_path(const Compilation *c, char *path, size_t room, const char *suffix)
{
    char token[2 * NN_TOKEN_BYTES + 1];
    for (int i = 0; i < NN_TOKEN_BYTES; i++) snprintf(token + 2 * i, 3, "%02x", c->token[i]);
    snprintf(path, room, "%s/%s-%s%s", c->cache_dir, token, c->device_count ? c->devices[0]->name : "cpu", suffix);
}

static bool read_all(int file, uint8_t *data, size_t size)
{
    while (size) {
        ssize_t got = read(file, data, size);
        if (got <= 0) return false;
        data += got;
        size -= (size_t)got;
    }
    return true;
}

/* True when a good compiled network was in the cache. As in the real runtime, the token alone says that it is the right one. */
static bool from_cache(Compilation *c)
{
    char path[4096];
    cache_path(c, path, sizeof path, ".nnstandin");
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    struct stat facts;
    void *blob = NULL;
    bool good = fstat(file, &facts) == 0 && facts.st_size > 0 && (size_t)facts.st_size < NN_MAX_BYTES &&
                posix_memalign(&blob, 64, (size_t)facts.st_size) == 0 && read_all(file, blob, (size_t)facts.st_size);
    close(file);
    if (!good) {
        free(blob);
        return false;
    }
    good = nn_program_load(blob, (size_t)facts.st_size, nn_target_soc(), &c->program) == NN_NO_ERROR;
    if (good) nn_trace("cache-hit", path);
    return good;
}

static void to_cache(const Compilation *c)
{
    char path[4096], draft[4096];
    cache_path(c, path, sizeof path, ".nnstandin");
    cache_path(c, draft, sizeof draft, ".draft");
    FILE *file = fopen(draft, "wb");
    if (!file) return; /* the real runtime compiles without a cache then, too */
    bool good = fwrite(c->program->blob, 1, c->program->size, file) == c->program->size;
    good = fclose(file) == 0 && good;
    if (!good || rename(draft, path) != 0) remove(draft);
    else nn_trace("cache-store", path);
}

/* NN_STAND_IN_COMPILE_MS: a compilation that is not in the cache takes at least so long. */
static void pass_time(void)
{
    long milliseconds = strtol(nn_setting("NN_STAND_IN_COMPILE_MS", "0"), NULL, 10);
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (milliseconds > 0 && nanosleep(&rest, &rest) != 0) continue;
}

static int check_supported(const Compilation *c)
{
    for (uint32_t i = 0; i < c->model->node_count; i++) {
        const Node *node = &c->model->nodes[i];
        bool taken = node->kernel && !c->explicit_devices; /* without a list of devices, the CPU steps in */
        for (uint32_t j = 0; j < c->device_count && !taken; j++) taken = nn_node_supported(c->model, node, c->devices[j]);
        if (!taken) return nn_fail(NN_BAD_DATA, "no device supports operation %u (%s)", i, nn_operation_name(node->code));
    }
    return NN_NO_ERROR;
}

/* The compiled network in a model of one restoring operation (extension com.mediatek.compiled_network), or NULL. */
static const Operand *network_in(const Model *model)
{
    if (model->node_count != 1 || model->nodes[0].code >> 16 != NN_NETWORK_EXTENSION) return NULL;
    for (uint32_t i = 0; i < model->nodes[0].inputs; i++) {
        const Operand *operand = &model->operands[model->nodes[0].indices[i]];
        if (operand->has_value && operand->t.type >> 16 == NN_NETWORK_EXTENSION) return operand;
    }
    return NULL;
}

static int restore_network(Compilation *compilation, const Operand *network)
{
    void *blob = NULL;
    if (!network->length || posix_memalign(&blob, 64, network->length) != 0) return nn_fail(NN_BAD_DATA, "the network is empty");
    memcpy(blob, network->value ? network->value : network->copy, network->length);
    int status = nn_program_load(blob, network->length, nn_device_soc(), &compilation->program);
    compilation->finished = compilation->restored = status == NN_NO_ERROR;
    return status;
}

int nn_compilation_finish(Compilation *compilation)
{
    int status = nn_compilation_open(compilation);
    if (status) return status;
    const Operand *network = network_in(compilation->model);
    if (network) return restore_network(compilation, network);
    if ((status = check_supported(compilation)) != 0) return status;
    const char *soc = nn_target_soc();
    if (!compilation->cache_dir || !from_cache(compilation)) {
        pass_time();
        uint8_t *blob;
        size_t size;
        if ((status = nn_network_write(compilation->model, soc, &blob, &size)) != 0) return status;
        if ((status = nn_program_load(blob, size, soc, &compilation->program)) != 0) return status;
        if (compilation->cache_dir) to_cache(compilation);
    }
    compilation->foreign = strcmp(soc, nn_device_soc()) != 0;
    compilation->finished = true;
    return NN_NO_ERROR;
}

/* A model and a finished compilation from a compiled network. */
int nn_restore(const void *buffer, size_t size, Model **model, Compilation **compilation)
{
    if (!buffer || !model || !compilation) return nn_fail(NN_UNEXPECTED_NULL, "the buffer or a result is null");
    *model = NULL;
    *compilation = NULL;
    void *blob = NULL;
    if (!size || size > NN_MAX_BYTES || posix_memalign(&blob, 64, size) != 0) return nn_fail(NN_BAD_DATA, "the size is wrong");
    memcpy(blob, buffer, size);
    Program *program;
    int status = nn_program_load(blob, size, nn_device_soc(), &program);
    if (status) return status;
    *model = nn_model_new();
    (*model)->finished = (*model)->restored = true;
    (*model)->users = 1;
    *compilation = nn_new(NN_COMPILATION_OBJECT, sizeof **compilation);
    **compilation = (Compilation){.model = *model, .finished = true, .restored = true, .program = program, .preference = 1,
                                  .priority = 100};
    return NN_NO_ERROR;
}
