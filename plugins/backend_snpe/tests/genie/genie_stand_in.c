/* A stand-in for Qualcomm's libGenie.so: the part of its C interface that the backend calls.
 *
 * It runs no network. The next token is taken from a list by a hash of all tokens before it, so an answer depends on the
 * whole prompt, and on everything that was not reset. What it is for: the order of calls, who owns a handle, limits,
 * ends and aborts, and what happens when a call fails or an answer is impossible.
 *
 * It finds what it needs in the configuration by simple search, and opens the files that are named there. The first
 * context binary is a text:
 *
 *     genie-stand-in 1
 *     ids ID...                 (the tokens that it generates; 0 to 47 without this line)
 *     fault NAME                (how it breaks the contract, see below)
 *
 * As in Genie: bos-token is put before a prompt and an eos-token ends an answer without being reported, unless they are
 * negative; a query that was not followed by a reset goes on after it; the limit counts calls of the callback; an abort
 * takes effect after the callback that asked for it. Numbers are those of GenieDialog.h and GenieCommon.h, see
 * genie/abi.py. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BEGIN = 1, CONTINUE = 2, END = 3, ABORTED_SENTENCE = 4 };
enum { SUCCESS = 0, ABORTED = 1, CONTEXT_EXCEEDED = 4, GENERAL = -1, ARGUMENT = -2, HANDLE = -5, FAILED = -6, SCHEMA = -8 };
enum { MOST = 1 << 20 };

typedef void (*callback_t)(const uint32_t *, uint32_t, int, const void *);

struct dialog {
  char fault[32];
  long context, bos, eos;
  uint32_t ids[256], count, limit, calls;
  uint32_t hash, past;
  bool active, abort;
  callback_t callback;
  const void *data;
};

static int live, violations;
static struct dialog *open_dialogs[64];

const char *genie_stand_in(void) { return "it makes tokens of a hash and runs no network"; }
int genie_stand_in_live(void) { return live; }
int genie_stand_in_violations(void) { return violations; }

uint32_t Genie_getApiMajorVersion(void) { return 1; }
uint32_t Genie_getApiMinorVersion(void) { return 10; }
uint32_t Genie_getApiPatchVersion(void) { return 0; }

/* The text after a key of the configuration, or NULL. */
static const char *entry(const char *json, const char *key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\": ", key);
  const char *found = strstr(json, quoted);
  return found ? found + strlen(quoted) : NULL;
}

static long number(const char *json, const char *key, long otherwise) {
  const char *found = entry(json, key);
  return found ? strtol(found, NULL, 10) : otherwise;
}

/* Opens the file whose path is the text after a key; NULL if it is not there. */
static FILE *file_of(const char *json, const char *key) {
  const char *found = entry(json, key);
  char path[4096];
  if (!found || sscanf(found + strspn(found, "["), "\"%4095[^\"]\"", path) != 1) return NULL;
  return fopen(path, "r");
}

static bool readable(const char *json, const char *key) {
  FILE *file = file_of(json, key);
  if (file) fclose(file);
  return file != NULL;
}

static int check(struct dialog *dialog) {
  for (int i = 0; i < 64; i++)
    if (dialog && open_dialogs[i] == dialog) return SUCCESS;
  violations++;
  return HANDLE;
}

int GenieDialogConfig_createFromJson(const char *json, void **config) {
  if (!json || !config) return ARGUMENT;
  if (!entry(json, "dialog") || !entry(json, "context") || strstr(json, "\"kv-dim\": 7")) {
    fprintf(stderr, "stand-in: the configuration is not valid\n");
    return SCHEMA;
  }
  const char *greedy = entry(json, "greedy"); /* other samplers would need a seed and a temperature */
  if (!greedy || strncmp(greedy, "true", 4) != 0) return SCHEMA;
  if (number(json, "pad-token", number(json, "eos-token", -1)) < 0) return SCHEMA; /* it would fill prompts up with it */
  *config = strdup(json);
  live++;
  return SUCCESS;
}

int GenieDialogConfig_free(void *config) {
  free(config);
  live--;
  return SUCCESS;
}

int GenieDialog_create(void *config, void **handle) {
  const char *json = config;
  if (!readable(json, "path") || (entry(json, "extensions") && !readable(json, "extensions"))) return GENERAL;
  FILE *file = file_of(json, "ctx-bins");
  char line[2048];
  if (!file || !fgets(line, sizeof line, file) || strcmp(line, "genie-stand-in 1\n") != 0) {
    if (file) fclose(file);
    fprintf(stderr, "stand-in: the context binary is none of this library's\n");
    return GENERAL;
  }
  struct dialog *dialog = calloc(1, sizeof *dialog);
  dialog->context = number(json, "size", 0);
  dialog->bos = number(json, "bos-token", -1);
  dialog->eos = number(json, "eos-token", -1);
  dialog->limit = UINT32_MAX;
  dialog->hash = 17;
  while (fgets(line, sizeof line, file)) {
    sscanf(line, "fault %31[^\n]", dialog->fault);
    if (strncmp(line, "ids", 3) == 0)
      for (char *at = strtok(line + 3, " \n"); at && dialog->count < 256; at = strtok(NULL, " \n"))
        dialog->ids[dialog->count++] = (uint32_t)strtoul(at, NULL, 10);
  }
  fclose(file);
  if (!dialog->count)
    while (dialog->count < 48) dialog->ids[dialog->count] = dialog->count, dialog->count++;
  if (strcmp(dialog->fault, "create") == 0) {
    free(dialog);
    return GENERAL;
  }
  if (strcmp(dialog->fault, "no dialog") == 0) {
    free(dialog);
    *handle = NULL;
    return SUCCESS;
  }
  for (int i = 0; i < 64; i++)
    if (!open_dialogs[i]) {
      open_dialogs[i] = dialog;
      *handle = dialog;
      live++;
      return SUCCESS;
    }
  free(dialog);
  return GENERAL;
}

int GenieDialog_free(void *handle) {
  struct dialog *dialog = handle;
  if (check(dialog)) return HANDLE;
  for (int i = 0; i < 64; i++)
    if (open_dialogs[i] == dialog) open_dialogs[i] = NULL;
  const bool is_late = strcmp(dialog->fault, "late at the end") == 0, fails = strcmp(dialog->fault, "free") == 0;
  if (is_late) dialog->callback(&(uint32_t){1}, 1, CONTINUE, dialog->data);
  free(dialog);
  live--;
  return fails ? GENERAL : SUCCESS;
}

int GenieDialog_reset(void *handle) {
  struct dialog *dialog = handle;
  if (check(dialog)) return HANDLE;
  if (strcmp(dialog->fault, "reset") == 0) return GENERAL;
  if (strcmp(dialog->fault, "left over") == 0) return SUCCESS;
  dialog->hash = 17;
  dialog->past = 0;
  return SUCCESS;
}

int GenieDialog_setMaxNumTokens(void *handle, uint32_t limit) {
  struct dialog *dialog = handle;
  if (check(dialog)) return HANDLE;
  if (strcmp(dialog->fault, "limit") == 0) return GENERAL;
  dialog->limit = strcmp(dialog->fault, "too many") == 0 ? limit + 1 : limit;
  return SUCCESS;
}

int GenieDialog_signal(void *handle, int action) {
  struct dialog *dialog = handle;
  if (check(dialog)) return HANDLE;
  if (action != 1) return ARGUMENT;
  if (dialog->active && strcmp(dialog->fault, "deaf") != 0) dialog->abort = true;
  return SUCCESS;
}

static void add(struct dialog *dialog, uint32_t token) {
  dialog->hash = dialog->hash * 1664525u + token + 1013904223u;
  dialog->past++;
}

struct call { struct dialog *dialog; const uint32_t *tokens; uint32_t count; int code; };

static void *called(void *argument) {
  struct call *call = argument;
  call->dialog->callback(call->tokens, call->count, call->code, call->dialog->data);
  return NULL;
}

/* Calls the callback; false if the answer ends with this call. */
static bool report(struct dialog *dialog, const uint32_t *tokens, uint32_t count, int code) {
  struct call call = {dialog, tokens, count, code};
  if (strcmp(dialog->fault, "thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, called, &call);
    pthread_join(thread, NULL);
  } else {
    called(&call);
  }
  const bool goes_on = ++dialog->calls < dialog->limit && !dialog->abort;
  if (!goes_on) dialog->callback(NULL, 0, END, dialog->data);
  return goes_on;
}

static int query(struct dialog *dialog, const uint32_t *tokens, uint32_t count) {
  const char *fault = dialog->fault;
  if (dialog->bos >= 0) add(dialog, (uint32_t)dialog->bos);
  if ((long)(dialog->past + count) > dialog->context) return CONTEXT_EXCEEDED;
  for (uint32_t i = 0; i < count; i++) add(dialog, tokens[i]);
  if (strcmp(fault, "crash") == 0) raise(SIGSEGV);
  if (strcmp(fault, "silent") == 0) return SUCCESS;
  if (strcmp(fault, "query") == 0) return FAILED;
  if (strcmp(fault, "bool") == 0) return ABORTED; /* how versions with the status in a bool report FAILED */
  for (int code = BEGIN;; code = CONTINUE) {
    uint32_t token = dialog->ids[(dialog->hash >> 9) % dialog->count];
    if (strcmp(fault, "huge") == 0) token = UINT32_MAX;
    if ((long)token == dialog->eos) {
      dialog->callback(NULL, 0, END, dialog->data);
      return SUCCESS;
    }
    if (strcmp(fault, "early end") == 0 && dialog->calls == 2) {
      dialog->callback(NULL, 0, END, dialog->data);
      return SUCCESS;
    }
    if (strcmp(fault, "null") == 0) return report(dialog, NULL, 3, code), SUCCESS;
    if (strcmp(fault, "flood") == 0) return report(dialog, dialog->ids, MOST, code), SUCCESS;
    if (!report(dialog, &token, 1, code)) return dialog->abort ? ABORTED : SUCCESS;
    if (strcmp(fault, "context") == 0 && dialog->calls == 2) return CONTEXT_EXCEEDED;
    if ((long)dialog->past + 1 > dialog->context) return CONTEXT_EXCEEDED;
    add(dialog, token);
  }
}

int GenieDialog_tokenQuery(void *handle, const uint32_t *tokens, uint32_t count, int code, callback_t callback,
                           const void *data) {
  struct dialog *dialog = handle;
  if (check(dialog)) return HANDLE;
  if (!tokens || !callback || code != 0) return ARGUMENT;
  if (strcmp(dialog->fault, "late") == 0 && dialog->callback) dialog->callback(&(uint32_t){1}, 1, CONTINUE, dialog->data);
  dialog->callback = callback;
  dialog->data = data;
  dialog->calls = 0;
  dialog->active = true;
  const int status = query(dialog, tokens, count);
  if (status == CONTEXT_EXCEEDED) callback(NULL, 0, END, data);
  if (status < 0) callback(NULL, 0, ABORTED_SENTENCE, data);
  dialog->active = dialog->abort = false;
  return status;
}
