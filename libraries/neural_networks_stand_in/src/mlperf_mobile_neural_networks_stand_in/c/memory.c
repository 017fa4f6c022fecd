/* Memory objects: a mapped file descriptor, or memory of the device's own. */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nn.h"

int nn_memory_from_fd(size_t size, int protect, int fd, size_t offset, Memory **memory)
{
    if (!memory) return nn_fail(NN_UNEXPECTED_NULL, "the output pointer for the memory is null");
    *memory = NULL;
    if (fd < 0 || !size) return nn_fail(NN_BAD_DATA, "the descriptor or the size is wrong");
    struct stat file;
    if (fstat(fd, &file) != 0) return nn_fail(NN_BAD_DATA, "the descriptor cannot be read");
    size_t end;
    if (__builtin_add_overflow(offset, size, &end) || (S_ISREG(file.st_mode) && end > (size_t)file.st_size))
        return nn_fail(NN_BAD_DATA, "offset and size reach beyond the file");
    size_t page = (size_t)sysconf(_SC_PAGESIZE), start = offset / page * page;
    void *mapping = mmap(NULL, end - start, protect, MAP_SHARED, fd, (off_t)start);
    if (mapping == MAP_FAILED) return nn_fail(NN_UNMAPPABLE, "the descriptor cannot be mapped");
    Memory *m = nn_new(NN_MEMORY_OBJECT, sizeof *m);
    *m = (Memory){.data = (uint8_t *)mapping + (offset - start), .size = size, .mapping = mapping, .mapped = end - start,
                  .writable = (protect & PROT_WRITE) != 0};
    *memory = m;
    return NN_NO_ERROR;
}

int nn_memory_of_size(size_t size, Memory **memory)
{
    Memory *m = nn_new(NN_MEMORY_OBJECT, sizeof *m);
    *m = (Memory){.data = nn_alloc(size), .size = size, .writable = true, .device = true};
    *memory = m;
    return NN_NO_ERROR;
}

void nn_memory_free(Memory *memory, const char *who)
{
    if (!nn_forget(memory, NN_MEMORY_OBJECT, who)) return;
    if (memory->mapping) munmap(memory->mapping, memory->mapped);
    else free(memory->data);
    free(memory);
}
