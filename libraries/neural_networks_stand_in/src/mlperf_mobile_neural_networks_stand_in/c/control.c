/* Faults, trace and messages. The NN_STAND_IN_* variables are read once, when the library is loaded. */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nn.h"

enum { FAULTS = 32, NAME = 96 };

typedef enum { CODE, CRASH, EXIT, HANG, CLOSE_STDOUT, THREADS, LEAK } Action;

typedef struct {
    char symbol[NAME];
    long at; /* 0: at every call */
    long calls;
    Action action;
    int code;
} Fault;

bool nn_controlled;
static Fault faults[FAULTS];
static int fault_count;
static int trace_file = -1;
static bool verbose;
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local char last_error[512];

NN_EXPORT const char *neural_networks_stand_in(void);
NN_EXPORT const char *nn_stand_in_last_error(void);

const char *neural_networks_stand_in(void)
{
    return "stand-in of mlperf-mobile: reference kernels on this machine's CPU; its results show function, never speed";
}

/* The reason of this thread's last refusal, in words; the real libraries write such reasons to the system log. */
const char *nn_stand_in_last_error(void) { return last_error; }

const char *nn_setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

bool nn_listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    while (*list) {
        size_t item = strcspn(list, ",");
        if (item == length && strncmp(list, word, length) == 0) return true;
        list += item + (list[item] == ',');
    }
    return false;
}

int nn_fail(int status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(last_error, sizeof last_error, format, values);
    va_end(values);
    if (verbose) fprintf(stderr, "stand-in: %s (%d)\n", last_error, status);
    return status;
}

void nn_abort(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fprintf(stderr, "stand-in: ");
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n");
    va_end(values);
    abort();
}

static bool read_action(Fault *fault, const char *text)
{
    static const char *const words[] = {"crash", "exit", "hang", "close-stdout", "threads", "leak"};
    for (int i = 0; i < 6; i++)
        if (strcmp(text, words[i]) == 0) {
            fault->action = (Action)(CRASH + i);
            return true;
        }
    char *end;
    fault->action = CODE;
    fault->code = (int)strtol(text, &end, 10);
    if (end != text && *end == 0) return true;
    fault->code = nn_code_of_name(text);
    return fault->code >= 0;
}

/* SYMBOL[@N]=ACTION */
static void read_fault(char *text)
{
    Fault *fault = &faults[fault_count];
    char *action = strchr(text, '=');
    if (!action) nn_abort("NN_STAND_IN_FAIL: %s has no =", text);
    *action++ = 0;
    char *at = strchr(text, '@');
    if (at) {
        *at++ = 0;
        fault->at = strtol(at, NULL, 10);
        if (fault->at < 1) nn_abort("NN_STAND_IN_FAIL: calls count from 1: %s@%s", text, at);
    }
    snprintf(fault->symbol, sizeof fault->symbol, "%s", text);
    if (!read_action(fault, action)) nn_abort("NN_STAND_IN_FAIL: unknown action %s", action);
    fault_count++;
}

__attribute__((constructor)) static void read_environment(void)
{
    verbose = *nn_setting("NN_STAND_IN_VERBOSE", "") != 0;
    const char *fail = nn_setting("NN_STAND_IN_FAIL", "");
    char *copy = strdup(fail), *rest = copy, *item;
    while (copy && (item = strsep(&rest, ",")) != NULL)
        if (*item && fault_count < FAULTS) read_fault(item);
    free(copy);
    const char *trace = nn_setting("NN_STAND_IN_TRACE", "");
    if (*trace) trace_file = open(trace, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    nn_controlled = fault_count > 0 || trace_file >= 0;
}

void nn_trace(const char *what, const char *detail)
{
    if (trace_file < 0) return;
    char line[600];
    int length = snprintf(line, sizeof line, *detail ? "%s %s\n" : "%s%s\n", what, detail);
    if (length >= (int)sizeof line) length = (int)sizeof line - 1;
    if (write(trace_file, line, (size_t)length) < 0) trace_file = -1;
}

static void *sleep_for_ever(void *unused)
{
    (void)unused;
    for (;;) pause();
    return NULL;
}

static void play(const Fault *fault)
{
    switch (fault->action) {
    case CRASH:
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
        break;
    case EXIT:
        exit(3);
    case HANG:
        sleep_for_ever(NULL);
        break;
    case CLOSE_STDOUT:
        close(STDOUT_FILENO);
        break;
    case THREADS:
        for (int i = 0; i < 4; i++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, sleep_for_ever, NULL) == 0) pthread_detach(thread);
        }
        break;
    case LEAK: {
        volatile char *lost = malloc(1 << 20);
        for (size_t i = 0; lost && i < 1 << 20; i += 4096) lost[i] = 1;
        break;
    }
    case CODE:
        break;
    }
}

/* True when the call must return *code at once. */
bool nn_enter(const char *symbol, int *code)
{
    nn_trace(symbol, "");
    for (int i = 0; i < fault_count; i++) {
        Fault *fault = &faults[i];
        if (strcmp(fault->symbol, symbol) != 0) continue;
        pthread_mutex_lock(&control_lock);
        long call = ++fault->calls;
        pthread_mutex_unlock(&control_lock);
        if (fault->at && fault->at != call) continue;
        if (fault->action == CODE) {
            *code = fault->code;
            nn_fail(fault->code, "%s: a fault requested by NN_STAND_IN_FAIL", symbol);
            return true;
        }
        play(fault);
    }
    return false;
}
