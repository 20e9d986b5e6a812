// Batch: requests that one call of the program is made of.
#pragma once

#include <exception>

namespace allred {

/// If one fails, those after it are not carried out: its error is theirs. Touched only by whoever carries out requests.
struct Batch {
  std::exception_ptr error;
};

}  // namespace allred
