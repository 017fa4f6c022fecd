/* Which handles are alive: a table of addresses, so that a freed or foreign handle is found without touching it. */
#include <stdlib.h>

#include "nn.h"

typedef struct {
    const void *object; /* NULL: never used; TOMB: used before */
    NnKind kind;
} Entry;

static const char tomb;
#define TOMB ((const void *)&tomb)

static Entry *table;
static size_t room, filled, alive;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

NN_EXPORT size_t nn_stand_in_live_objects(void);

/* How many models, compilations, executions, memories, bursts, events and runtimes have not been freed. */
size_t nn_stand_in_live_objects(void)
{
    pthread_mutex_lock(&table_lock);
    size_t count = alive;
    pthread_mutex_unlock(&table_lock);
    return count;
}

void *nn_alloc(size_t size)
{
    void *block = calloc(1, size ? size : 1);
    if (!block) nn_abort("out of memory: %zu bytes", size);
    return block;
}

static size_t place(const void *object)
{
    uint64_t hash = (uint64_t)(uintptr_t)object * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32) & (room - 1);
}

static Entry *find(const void *object)
{
    if (!room) return NULL;
    for (size_t i = place(object);; i = (i + 1) & (room - 1)) {
        if (table[i].object == object) return &table[i];
        if (!table[i].object) return NULL;
    }
}

static void add(const void *object, NnKind kind)
{
    size_t i = place(object);
    while (table[i].object && table[i].object != TOMB) i = (i + 1) & (room - 1);
    if (!table[i].object) filled++;
    table[i] = (Entry){object, kind};
}

static void grow(void)
{
    Entry *old = table;
    size_t old_room = room;
    room = 64;
    while (room < alive * 4) room *= 2;
    table = nn_alloc(room * sizeof *table);
    filled = 0;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].object && old[i].object != TOMB) add(old[i].object, old[i].kind);
    free(old);
}

void *nn_new(NnKind kind, size_t size)
{
    void *object = nn_alloc(size);
    pthread_mutex_lock(&table_lock);
    if ((filled + 1) * 2 > room) grow();
    add(object, kind);
    alive++;
    pthread_mutex_unlock(&table_lock);
    return object;
}

int nn_check(const void *object, NnKind kind)
{
    if (!object) return nn_fail(NN_UNEXPECTED_NULL, "a handle is null");
    pthread_mutex_lock(&table_lock);
    Entry *entry = find(object);
    bool good = entry && entry->kind == kind;
    pthread_mutex_unlock(&table_lock);
    return good ? NN_NO_ERROR : nn_fail(NN_BAD_DATA, "a handle is freed, of another kind, or not from this library");
}

bool nn_forget(void *object, NnKind kind, const char *who)
{
    if (!object) return false;
    pthread_mutex_lock(&table_lock);
    Entry *entry = find(object);
    bool good = entry && entry->kind == kind;
    if (good) {
        entry->object = TOMB;
        alive--;
    }
    pthread_mutex_unlock(&table_lock);
    if (!good) nn_abort("%s: the handle is not alive (freed twice, of another kind, or not from this library)", who);
    return true;
}
