#include "engine/request_check.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "common/error.hpp"

namespace allred {
namespace {

[[noreturn]] void reject(const std::string& what) { throw Error(ErrorCode::invalid_argument, what); }

std::string quote(std::string_view argument, auto value) { return std::string(argument) + "=" + std::to_string(value); }

bool reads_input(const Request& request, int rank) noexcept {
  return request.collective != Collective::scatter || rank == request.root;
}

bool writes_output(const Request& request, int rank) noexcept {
  const bool to_root = request.collective == Collective::reduce || request.collective == Collective::gather;
  return !to_root || rank == request.root;
}

// ---- lists of blocks ----

template <class Block>
void check_list(const char* argument, std::span<const Block> blocks, bool is_allowed, const Request& request,
                int size) {
  if (blocks.empty()) return;
  if (!is_allowed) reject(std::string(name(request.collective)) + " takes no list of " + argument);
  if (blocks.size() != static_cast<std::size_t>(size)) {
    reject(std::string(argument) + " has " + std::to_string(blocks.size()) + " blocks; expected one for each of " +
           std::to_string(size) + " ranks");
  }
  for (std::size_t idx = 0; idx < blocks.size(); ++idx) {
    const auto& [data, count] = blocks[idx];
    const auto which = [&] { return std::string(argument) + "[" + std::to_string(idx) + "]"; };
    if (count != 0 && data == nullptr) reject(which() + " is null, but has " + quote("count", count));
    if (request.collective != Collective::all_to_all && count != request.count) {
      reject(which() + " has " + quote("count", count) + "; expected " + std::to_string(request.count));
    }
  }
}

void check_lists(const Request& request, int rank, int size) {
  check_list("inputs", request.inputs, has_input_blocks(request.collective), request, size);
  check_list("outputs", request.outputs, has_output_blocks(request.collective), request, size);
  if (request.collective != Collective::all_to_all || !request.has_lists()) return;
  if (request.inputs.empty() || request.outputs.empty()) {
    reject("all_to_all takes lists of both inputs and outputs, or of neither");
  }
  const std::size_t sent = request.inputs[static_cast<std::size_t>(rank)].count;
  const std::size_t expected = request.outputs[static_cast<std::size_t>(rank)].count;
  if (sent == expected) return;
  reject("rank " + std::to_string(rank) + " sends itself " + std::to_string(sent) + " elements, and expects " +
         std::to_string(expected));
}

// ---- overlap ----

struct Region {
  const std::byte* begin;
  std::size_t bytes;

  const std::byte* end() const noexcept { return begin + bytes; }
};

Region region(const void* begin, std::size_t bytes) noexcept { return {static_cast<const std::byte*>(begin), bytes}; }

bool overlap(const Region& a, const Region& b) noexcept {
  return a.bytes != 0 && b.bytes != 0 && a.begin < b.end() && b.begin < a.end();
}

/// Whether any of the one shares a byte with any of the other. None is empty.
bool overlap(std::vector<Region> some, std::vector<Region> others) {
  std::ranges::sort(some, {}, &Region::begin);
  std::ranges::sort(others, {}, &Region::begin);
  // Regions of one list may overlap each other: what counts is how far those that began before this one reach.
  const std::byte* some_end = nullptr;
  const std::byte* others_end = nullptr;
  auto next = some.begin();
  for (const Region& other : others) {
    for (; next != some.end() && next->begin <= other.begin; ++next) {
      if (next->begin < others_end) return true;
      some_end = std::max(some_end, next->end());
    }
    if (other.begin < some_end) return true;
    others_end = std::max(others_end, other.end());
  }
  return next != some.end() && next->begin < others_end;
}

/// The buffers of one rank's request. Where one of the two is divided into blocks, the other may be the rank's own.
class Buffers {
 public:
  Buffers(const Request& request, int rank, int size)
      : request_(request),
        own_(static_cast<std::size_t>(rank)),
        size_(static_cast<std::size_t>(size)),
        input_divided_(has_input_blocks(request.collective)),
        output_divided_(has_output_blocks(request.collective)) {}

  void check_no_overlap() const {
    if (!(request_.has_lists() ? lists_overlap() : !is_in_place() && overlap(whole_input(), whole_output()))) return;
    std::string where = ", or the same place";
    if (input_divided_ || output_divided_) where += " as this rank's block of the larger one";
    if (input_divided_ && output_divided_) where.clear();
    reject("input and output overlap; they must be apart" + where);
  }

 private:
  Region whole_input() const noexcept {
    return region(request_.input, request_.bytes() * (input_divided_ ? size_ : 1));
  }
  Region whole_output() const noexcept {
    return region(request_.output, request_.bytes() * (output_divided_ ? size_ : 1));
  }

  bool is_in_place() const noexcept {
    const auto own = [this](const auto& blocks, const void* whole) -> const void* {
      return blocks.empty() ? static_cast<const std::byte*>(whole) + own_ * request_.bytes() : blocks[own_].data;
    };
    if (input_divided_ && output_divided_) return false;
    if (input_divided_) return request_.output == own(request_.inputs, request_.input);
    if (output_divided_) return request_.input == own(request_.outputs, request_.output);
    return request_.input == request_.output;
  }

  bool lists_overlap() const {
    const bool without_own = is_in_place();
    return overlap(regions_of(request_.inputs, whole_input(), without_own),
                   regions_of(request_.outputs, whole_output(), without_own));
  }

  /// One for each block, or one for a buffer that is not listed.
  template <class Block>
  std::vector<Region> regions_of(std::span<const Block> blocks, const Region& whole, bool without_own) const {
    std::vector<Region> regions;
    if (blocks.empty() && whole.bytes != 0) regions.push_back(whole);
    for (std::size_t idx = 0; idx < blocks.size(); ++idx) {
      const auto& [data, count] = blocks[idx];
      if (count != 0 && !(without_own && idx == own_)) regions.push_back(region(data, count * size_of(request_.dtype)));
    }
    return regions;
  }

  const Request& request_;
  std::size_t own_;
  std::size_t size_;
  bool input_divided_;
  bool output_divided_;
};

// ---- compression ----

void check_compression(const Request& request) {
  const Compression& compression = request.compression;
  if (!compression.is_on()) return;
  const std::string codec = "compression=" + std::string(name(compression.codec));
  if (request.collective != Collective::all_reduce) {
    reject(codec + " is for all_reduce, not for " + std::string(name(request.collective)));
  }
  if (request.op != ReduceOp::sum && request.op != ReduceOp::avg) {
    reject(codec + " takes op=sum or op=avg, got op=" + std::string(name(request.op)));
  }
  if (!compresses(compression.codec, request.dtype)) {
    const std::string narrow = has_units(compression.codec) ? ", float16 and bfloat16" : "";
    reject(codec + " compresses float64, float32" + narrow + ", got dtype " + std::string(name(request.dtype)));
  }
}

void check_residual(const Request& request) {
  if (request.compression.residual == nullptr) return;
  if (!request.compression.is_on()) reject("residual keeps what compression loses; compression=none loses nothing");
  const Region residual = region(request.compression.residual, request.count * sizeof(float));
  if (overlap(residual, region(request.input, request.bytes())) ||
      overlap(residual, region(request.output, request.bytes()))) {
    reject("residual overlaps input or output; it must be apart");
  }
}

}  // namespace

void check_call(const Request& request, int rank, int size) {
  if (request.device != Device::cpu) throw Error(ErrorCode::unsupported, "device=cuda: this build moves CPU memory");
  if (reduces(request.collective)) check_defined(request.op, request.dtype);
  if (is_rooted(request.collective) && (request.root < 0 || request.root >= size)) {
    reject(quote("root", request.root) + " is not a rank: expected 0.." + std::to_string(size - 1));
  }
  if (request.has_lists()) check_lists(request, rank, size);
  check_compression(request);
}

void check_buffers(const Request& request, int rank, int size) {
  const bool reads = reads_input(request, rank);
  const bool writes = writes_output(request, rank);
  const bool has_input = !reads || request.input != nullptr || !request.inputs.empty();
  const bool has_output = !writes || request.output != nullptr || !request.outputs.empty();
  if (request.count != 0 && !(has_input && has_output)) {
    reject("input or output is null, but " + quote("count", request.count));
  }
  if (reads && writes) Buffers(request, rank, size).check_no_overlap();
  check_residual(request);
}

}  // namespace allred
