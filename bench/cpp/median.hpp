// The median of what several blocks took.
#pragma once

#include <algorithm>
#include <vector>

namespace allred::bench {

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace allred::bench
