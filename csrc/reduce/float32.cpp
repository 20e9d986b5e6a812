#include "reduce/float32.hpp"

#include <cstring>

#include "reduce/copy.hpp"
#include "reduce/reduce.hpp"

namespace allred {
namespace {

/// Element by element through memcpy, as the buffers of a message need not be aligned; compilers make vectors of it.
template <class To, class From>
void convert(void* destination, const void* source, std::size_t count) {
  for (std::size_t idx = 0; idx < count; ++idx) {
    From from;
    std::memcpy(&from, static_cast<const std::byte*>(source) + idx * sizeof(From), sizeof(From));
    const To to = static_cast<To>(from);
    std::memcpy(static_cast<std::byte*>(destination) + idx * sizeof(To), &to, sizeof(To));
  }
}

}  // namespace

void to_float32(float* destination, const void* source, std::size_t count, DType dtype) {
  if (dtype == DType::float64) return convert<float, double>(destination, source, count);
  if (dtype == DType::float32) {
    return copy_bytes(reinterpret_cast<std::byte*>(destination), static_cast<const std::byte*>(source),
                      count * sizeof(float));
  }
  widen(destination, source, count, dtype);
}

void from_float32(void* destination, const float* source, std::size_t count, DType dtype) {
  if (dtype == DType::float64) return convert<double, float>(destination, source, count);
  if (dtype == DType::float32) {
    return copy_bytes(static_cast<std::byte*>(destination), reinterpret_cast<const std::byte*>(source),
                      count * sizeof(float));
  }
  narrow(destination, source, count, dtype);
}

}  // namespace allred
