#include "common/error.hpp"

#include <cerrno>
#include <system_error>

namespace allred {

void throw_errno(const std::string& what) {
  const int number = errno;
  throw Error(ErrorCode::system, what + ": " + std::generic_category().message(number));
}

}  // namespace allred
