#include "bindings/c10d/errors.hpp"

#include <c10/util/Exception.h>

namespace allred::backend {

void rethrow(const Error& error) {
  switch (error.code()) {
    case ErrorCode::invalid_argument: throw_invalid(error.what());
    case ErrorCode::unsupported: throw_unsupported(error.what());
    case ErrorCode::mismatch:
    case ErrorCode::timeout:
    case ErrorCode::peer_lost:
    case ErrorCode::aborted:
    case ErrorCode::interrupted:
    case ErrorCode::system: break;
  }
  C10_THROW_ERROR(DistBackendError, error.what());
}

std::exception_ptr translated(std::exception_ptr error) {
  if (!error) return error;
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    try {
      rethrow(known);
    } catch (...) {
      return std::current_exception();
    }
  } catch (...) {
  }
  return error;
}

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const c10::Error& known) {
    return known.what_without_backtrace();
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

void throw_invalid(const std::string& message) { C10_THROW_ERROR(ValueError, message); }
void throw_unsupported(const std::string& message) { C10_THROW_ERROR(NotImplementedError, message); }

}  // namespace allred::backend
