#include "common/fingerprint.hpp"

namespace allred {

std::string Fingerprint::describe() const {
  if (is_refusal()) return "a call that it refused";
  const auto byte = [this](int idx) { return static_cast<std::uint8_t>(call >> (8 * idx)); };
  const auto collective = static_cast<Collective>(byte(0));
  std::string text{name(collective)};
  if (collective == Collective::barrier) return text + "()";
  text += "(";
  if (reduces(collective)) text += "op=" + std::string(name(static_cast<ReduceOp>(byte(1)))) + ", ";
  text += "dtype=" + std::string(name(static_cast<DType>(byte(2))));
  // The counts of an all_to_all may differ from rank to rank, so they are compared elsewhere.
  if (collective != Collective::all_to_all) text += ", count=" + std::to_string(count);
  if (is_rooted(collective)) text += ", root=" + std::to_string(root());
  if (codec() != Codec::none) text += ", compression=" + std::string(name(codec()));
  return text + ", algorithm=" + std::string(name(static_cast<Algorithm>(byte(3)))) + ")";
}

}  // namespace allred
