// What verify has found, in words.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace allred::proof {

/// Collects explanations, the first few in full: one mistake in an algorithm shows on every rank. Not thread-safe.
class Problems {
 public:
  void add(std::string text) {
    if (++found_ <= kMost) texts_.push_back(std::move(text));
  }

  bool empty() const noexcept { return found_ == 0; }

  std::vector<std::string> take() && {
    if (found_ > kMost) texts_.push_back("and " + std::to_string(found_ - kMost) + " more");
    return std::move(texts_);
  }

 private:
  static constexpr std::size_t kMost = 16;

  std::size_t found_ = 0;
  std::vector<std::string> texts_;
};

}  // namespace allred::proof
