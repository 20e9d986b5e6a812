// Errors: one exception type whose code says what kind of failure it is and whose fields say who and where.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace allred {

enum class ErrorCode : std::uint8_t {
  invalid_argument,  // the caller's arguments are wrong; nothing was done
  unsupported,       // valid, but not offered here
  mismatch,          // the ranks called different things; no data moved
  timeout,           // a deadline passed
  peer_lost,         // a peer's process died or left
  aborted,           // the communicator was aborted, here or on a peer
  interrupted,       // a signal handler asked the wait to end
  system,            // the operating system refused something
};

/// Who was at fault and what was being done, as fields. `peer` is -1 where no single rank is meant.
struct ErrorContext {
  int peer = -1;
  std::int64_t pid = 0;
  std::string host = {};
  std::string operation = {};
  std::uint64_t sequence = 0;
  std::vector<int> absent = {};  // timeout: the ranks that had not entered the call
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, ErrorContext context = {})
      : std::runtime_error(message), code_(code), context_(std::move(context)) {}

  ErrorCode code() const noexcept { return code_; }
  const ErrorContext& context() const noexcept { return context_; }

 private:
  ErrorCode code_;
  ErrorContext context_;
};

/// Throws Error(system) with `what` and the text of `errno`.
[[noreturn]] void throw_errno(const std::string& what);

}  // namespace allred
