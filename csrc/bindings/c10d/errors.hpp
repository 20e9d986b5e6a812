// allred::Error becomes the exception that torch.distributed raises for its kind.
#pragma once

#include <exception>
#include <string>
#include <utility>

#include "common/error.hpp"

namespace allred::backend {

/// In Python: ValueError for invalid arguments, NotImplementedError for what is not offered, DistBackendError for the
/// rest. The message is kept whole.
[[noreturn]] void rethrow(const Error& error);

/// What `action` returns. Passes the errors that it throws to the user, as torch knows them.
template <class Action>
decltype(auto) translating(Action&& action) {
  try {
    return std::forward<Action>(action)();
  } catch (const Error& error) {
    rethrow(error);
  }
}

/// The same for an error that is carried along; other exceptions and nullptr stay what they are.
std::exception_ptr translated(std::exception_ptr error);

/// What an exception says, without the stack that torch adds to its own.
std::string message_of(const std::exception_ptr& error);

[[noreturn]] void throw_invalid(const std::string& message);
[[noreturn]] void throw_unsupported(const std::string& message);

}  // namespace allred::backend
