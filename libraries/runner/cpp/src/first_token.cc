#include "first_token.h"

namespace runner {

FirstTokens& FirstTokens::of_process() {
  static auto& one = *new FirstTokens;
  return one;
}

void FirstTokens::here(const Issue& issue, const Tell& tell) {
  issue(called, begin(std::this_thread::get_id(), tell));
  const std::lock_guard<std::mutex> lock(mutex_);
  tell_ = nullptr;
}

void FirstTokens::elsewhere(const Issue& issue, const Tell& tell) {
  begin({}, tell);
  std::unique_lock<std::mutex> lock(mutex_);
  job_ = &issue;
  if (!working_) std::thread([this] { work(); }).detach();
  working_ = true;
  changed_.notify_all();
  changed_.wait(lock, [this] { return calls_ || !job_; });
  if (calls_) {
    lock.unlock();
    tell();
    lock.lock();
  }
  changed_.wait(lock, [this] { return !job_; });
}

FirstTokens::Calls FirstTokens::over() {
  const std::lock_guard<std::mutex> lock(mutex_);
  context_ = nullptr;
  return {calls_, foreign_};
}

std::size_t FirstTokens::late() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::size_t found = late_;
  late_ = 0;
  return found;
}

void* FirstTokens::begin(std::thread::id thread, const Tell& tell) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calls_ = 0;
  foreign_ = false;
  thread_ = thread;
  tell_ = &tell;
  return context_ = &marks_[++query_ % marks_.size()];
}

void FirstTokens::called(void* context) {
  FirstTokens& one = of_process();
  std::unique_lock<std::mutex> lock(one.mutex_);
  if (!context || context != one.context_) {
    ++one.late_;
    return;
  }
  if (one.calls_++) return;
  if (one.thread_ == std::thread::id()) {
    one.changed_.notify_all();
  } else if (one.thread_ != std::this_thread::get_id()) {
    one.foreign_ = true;
  } else if (const auto* tell = one.tell_) {
    lock.unlock();
    (*tell)();
  }
}

// Never ends: LoadGen must not lose a thread's log, and a library may keep something for it.
void FirstTokens::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return job_ != nullptr; });
    void* context = context_;
    lock.unlock();
    (*job_)(called, context);
    lock.lock();
    job_ = nullptr;
    changed_.notify_all();
  }
}

}  // namespace runner
