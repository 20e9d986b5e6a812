// GilHolder: keeps the GIL through a call that is over at once.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <optional>

#include "engine/request.hpp"

namespace allred::bindings {

/// Has the GIL, and lets go of it once, at the first sign of a wait; at once for a call of more bytes than are short.
/// To be made and destroyed with the GIL held.
class GilHolder final : public BlockingListener {
 public:
  explicit GilHolder(std::size_t bytes) {
    if (bytes > kShortBytes) before_blocking();
  }

  void before_blocking() override {
    if (!released_) released_.emplace();
  }

 private:
  // To let go of the GIL and to take it again costs a quarter of the smallest call, and more than holding it meanwhile.
  // A call of this many bytes is over in a few microseconds, if nobody has to be waited for.
  static constexpr std::size_t kShortBytes = 4096;

  std::optional<pybind11::gil_scoped_release> released_;
};

}  // namespace allred::bindings
