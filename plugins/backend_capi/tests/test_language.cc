/* A stand-in for a vendor's library of language models, written for tests: no network is behind it.

   It takes and gives std::vector<int>, as the libraries of the app do, built with the compiler's own standard library.
   The next token is a hash of all tokens before it, below 48, so an answer depends on the whole prompt and on nothing
   else. The setting "thread" makes it report the first token in a thread of its own; "defect" names how it breaks the
   contract; "reports" is the size that it reports for its inputs. */

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

struct Data { int type; int64_t size; };
struct Config {
  const char *delegate_selected, *accelerator, *accelerator_desc;
  uint32_t batch_size;
  int count;
  const char *keys[256], *values[256];
};
using Callback = void (*)(void *);

namespace {
enum { INT32 = 4, FLOAT32 = 0, VOCABULARY = 48 };

struct Pointers { const void *begin, *end, *storage_end; };

struct Backend {
  std::string defect;
  bool thread = false, flushed = true;
  int64_t reports = 0;
  const std::vector<int> *prompt = nullptr;
  int limit = 0, queries = 0;
  std::vector<int> answer;
  Pointers lies{};
  Callback callback = nullptr;
  void *context = nullptr;
};

int next(const std::vector<int> &prompt, const std::vector<int> &answer) {
  uint32_t hash = 17;
  for (int id : prompt) hash = hash * 1664525u + static_cast<uint32_t>(id) + 1013904223u;
  for (int id : answer) hash = hash * 1664525u + static_cast<uint32_t>(id) + 1013904223u;
  return static_cast<int>((hash >> 9) % VOCABULARY);
}

void report(Backend *b) {
  if (b->thread)
    std::thread(b->callback, b->context).join();
  else
    b->callback(b->context);
}
}  // namespace

extern "C" {
bool mlperf_backend_matches_hardware(const char **message, const char **settings, const void *) {
  *message = *settings = nullptr;
  return true;
}

void *mlperf_backend_create(const char *, Config *config, const char *) {
  auto *b = new Backend;
  for (int i = 0; i < config->count; ++i) {
    const std::string key = config->keys[i], value = config->values[i];
    if (key == "defect") b->defect = value;
    if (key == "thread") b->thread = value == "true";
    if (key == "reports") b->reports = std::atoll(value.c_str());
  }
  return b;
}

const char *mlperf_backend_vendor_name(void *) { return "Written for tests"; }
const char *mlperf_backend_name(void *) { return "test_language"; }
const char *mlperf_backend_accelerator_name(void *) { return "cpu"; }

void mlperf_backend_delete(void *p) {
  auto *b = static_cast<Backend *>(p);
  if (!b->flushed) std::abort(); /* every query is flushed */
  if (b->defect == "last call") b->callback(b->context);
  delete b;
}

int32_t mlperf_backend_get_input_count(void *p) { return static_cast<Backend *>(p)->defect == "vision" ? 1 : 2; }
Data mlperf_backend_get_input_type(void *p, int32_t i) {
  return {INT32, i == 0 ? static_cast<Backend *>(p)->reports : static_cast<Backend *>(p)->reports != 0};
}
int32_t mlperf_backend_get_output_count(void *) { return 1; }
Data mlperf_backend_get_output_type(void *, int32_t) { return {FLOAT32, 0}; } /* as the app's own library */

int mlperf_backend_set_input(void *p, int32_t slot, int32_t i, void *data) {
  auto *b = static_cast<Backend *>(p);
  if (slot != 0 || i < 0 || i > 1) return 1;
  if (i == 1) {
    b->limit = *static_cast<const int *>(data);
    return 0;
  }
  if (b->defect == "late" && b->queries++) b->callback(b->context);
  b->prompt = static_cast<const std::vector<int> *>(data);
  b->answer.clear();
  return b->prompt->empty();
}

int mlperf_backend_issue_query(void *p, Callback callback, void *context) {
  auto *b = static_cast<Backend *>(p);
  b->callback = callback;
  b->context = context;
  if (b->limit < 2) return 1; /* as the app's own library */
  if (b->defect == "fail") return 7;
  b->flushed = false;
  if (b->defect == "empty") return 0;
  if (b->defect == "swap") {
    (new std::vector<int>)->swap(*const_cast<std::vector<int> *>(b->prompt)); /* never freed: it is not ours */
    b->callback(b->context);
    return 0;
  }
  const int count = b->defect == "one" ? 1 : b->defect == "long" ? b->limit + 1 : b->limit;
  while (static_cast<int>(b->answer.size()) < count) {
    b->answer.push_back(next(*b->prompt, b->answer));
    if (b->answer.size() == 1 && b->defect != "silent") report(b);
  }
  if (b->defect == "twice") report(b);
  if (b->defect == "call without tokens") b->answer.clear();
  if (b->defect == "negative") b->answer.back() = -1;
  if (b->defect == "huge") b->answer.back() = INT32_MAX;
  return 0;
}

int mlperf_backend_flush_queries(void *p) {
  auto *b = static_cast<Backend *>(p);
  b->flushed = true;
  return b->defect == "flush";
}

int mlperf_backend_get_output(void *p, uint32_t, int32_t, void **data) {
  auto *b = static_cast<Backend *>(p);
  const char *begin = reinterpret_cast<const char *>(b->answer.data());
  const char *end = begin + sizeof(int) * b->answer.size();
  const char *nowhere = reinterpret_cast<const char *>(uintptr_t{4096});
  *data = &b->lies;
  if (b->defect == "backwards") b->lies = {end, begin, end};
  else if (b->defect == "storage") b->lies = {begin, end, begin};
  else if (b->defect == "odd") b->lies = {begin, end - 1, end};
  else if (b->defect == "endless") b->lies = {begin, begin + (uint64_t{1} << 46), begin + (uint64_t{1} << 46)};
  else if (b->defect == "nowhere") b->lies = {nowhere, nowhere + 8, nowhere + 8};
  else if (b->defect == "size") b->lies = {begin, reinterpret_cast<const void *>(uintptr_t{2}), nullptr};
  else if (b->defect == "lost") *data = const_cast<char *>(nowhere);
  else if (b->defect == "null") *data = nullptr;
  else *data = &b->answer;
  return 0;
}
}
