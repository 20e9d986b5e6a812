// GroupOptions: what a program may set of a process group, as pg_options of torch.distributed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>

namespace allred::backend {

inline constexpr const char* kBackendName = "allred";

/// Fields left empty are those of the environment or the defaults. torch fills in the fields of the base class.
struct GroupOptions final : ::c10d::Backend::Options {
  explicit GroupOptions(std::chrono::milliseconds timeout = kBackendDefaultTimeout)
      : ::c10d::Backend::Options(kBackendName, timeout) {}

  std::optional<std::int64_t> staging_bytes;
  std::optional<std::string> wait;
  std::optional<std::string> all_reduce_algorithm;
  std::optional<std::string> tuning;
};

}  // namespace allred::backend
