// BlocksView: an argument that holds one block for each rank.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "bindings/core/array.hpp"
#include "common/blocks.hpp"
#include "common/error.hpp"

namespace allred::bindings {

/// An array in which the blocks lie one after the other, or a list (or tuple) of arrays of one dtype, one a rank.
/// Borrows their memory as ArrayView does. Block is InputBlock or OutputBlock.
template <class Block>
class BlocksView {
 public:
  /// Throws as ArrayView does, and for a list without arrays or with several dtypes.
  BlocksView(pybind11::handle object, const char* argument) {
    if (pybind11::isinstance<pybind11::list>(object) || pybind11::isinstance<pybind11::tuple>(object)) {
      for (const pybind11::handle each : object) append(each, argument);
      if (arrays_.empty()) reject(argument, " is a list without arrays");
    } else {
      whole_.emplace(object, argument, kAccess);
    }
  }

  /// The array, where it is no list.
  const ArrayView* whole() const noexcept { return whole_ ? &*whole_ : nullptr; }
  void* data() const noexcept { return whole_ ? whole_->data() : nullptr; }
  /// Those of a list; none of a whole array. They stay where they are when the view is moved.
  const std::vector<Block>& listed() const noexcept { return listed_; }
  DType dtype() const noexcept { return whole_ ? whole_->dtype() : arrays_.front().dtype(); }

 private:
  static constexpr ArrayView::Access kAccess =
      std::is_same_v<Block, OutputBlock> ? ArrayView::Access::write : ArrayView::Access::read;

  [[noreturn]] static void reject(const std::string& which, const std::string& why) {
    throw Error(ErrorCode::invalid_argument, which + why);
  }

  void append(pybind11::handle object, const std::string& argument) {
    const std::string which = argument + "[" + std::to_string(arrays_.size()) + "]";
    const ArrayView& array = arrays_.emplace_back(object, which.c_str(), kAccess);
    listed_.push_back({array.data(), array.count()});
    if (array.dtype() == dtype()) return;
    reject(which, " has dtype " + std::string(name(array.dtype())) + " and " + argument + "[0] " +
                      std::string(name(dtype())) + "; expected the same");
  }

  std::optional<ArrayView> whole_;
  std::vector<ArrayView> arrays_;
  std::vector<Block> listed_;
};

using InputBlocks = BlocksView<InputBlock>;
using OutputBlocks = BlocksView<OutputBlock>;

}  // namespace allred::bindings
