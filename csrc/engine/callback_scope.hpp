// CallbackScope: how deep in callbacks of works a thread is.
#pragma once

namespace allred {

/// A call that a callback makes comes at a time that no other rank can foresee: whether it is before or after the
/// program's next call differs from rank to rank. So it goes to a stream of calls of its own, by the depth of nesting,
/// where the order is that in which the works ended, the same on all ranks. To be made and destroyed on one thread.
class CallbackScope {
 public:
  explicit CallbackScope(int depth) noexcept : outer_(current_) { current_ = depth; }
  CallbackScope(const CallbackScope&) = delete;  // a state of the thread
  CallbackScope& operator=(const CallbackScope&) = delete;
  ~CallbackScope() { current_ = outer_; }

  /// 0 outside of callbacks.
  static int depth() noexcept { return current_; }

 private:
  static thread_local int current_;
  int outer_;
};

}  // namespace allred
