// MessageFrame: what travels in the MessageLinks between two ranks that send each other messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "common/dtype.hpp"
#include "common/error.hpp"

namespace allred {

/// The first three and the refusal stand for a send and take part in matching; `rest` belongs to the `first` before it,
/// with nothing in between, and the others to an offer, which they name by the id that its sender gave it.
enum class FrameKind : std::uint8_t {
  eager,    // sender -> receiver: a small message, whole; then text
  first,    // sender -> receiver: the first piece of an eager message in several frames; then text
  rest,     // sender -> receiver: its next piece
  offer,    // sender -> receiver: a large message, and where it lies in the sender's memory; then text
  refusal,  // sender -> receiver: a send that is not going to be made; then the reason as text
  taken,    // receiver -> sender: has copied the message of the offer
  pull,     // receiver -> sender: the message is to come through the link
  share,    // receiver -> sender: may copy a part of it to `address`, in the turn `count` of the SharedPieces, through
            // the gate whose address follows as text
  data,     // sender -> receiver: the next piece of it
  reject,   // receiver -> sender: does not take it; then the reason as text
};

/// Text is what the sender can say of its buffer, such as its shape, or a reason; it is cut where it does not fit.
struct MessageFrame {
  FrameKind kind = FrameKind::eager;
  DType dtype = DType::uint8;
  std::int32_t tag = 0;
  std::uint64_t count = 0;
  std::uint64_t id = 0;  // of an offer; of the first of several frames, how many bytes of the message each has
  std::uint64_t address = 0;
};
static_assert(sizeof(MessageFrame) == 32, "a header and a message of some numbers share a cache line");

/// A frame in the memory that it arrived in.
struct FrameView {
  MessageFrame header;
  std::span<const std::byte> payload;
  std::string_view text;

  explicit FrameView(std::span<const std::byte> bytes) {
    std::memcpy(&header, bytes.data(), sizeof(header));
    const std::span<const std::byte> rest = bytes.subspan(sizeof(header));
    const std::size_t bytes_of_payload = payload_bytes(rest.size());
    if (bytes_of_payload > rest.size()) throw Error(ErrorCode::system, "a peer's message cannot be read");
    payload = rest.first(bytes_of_payload);
    text = {reinterpret_cast<const char*>(rest.data()) + bytes_of_payload, rest.size() - bytes_of_payload};
  }

 private:
  std::size_t payload_bytes(std::size_t bytes_after_header) const noexcept {
    switch (header.kind) {
      case FrameKind::eager: return header.count * size_of(header.dtype);
      case FrameKind::first: return header.id;
      case FrameKind::rest:
      case FrameKind::data: return bytes_after_header;
      default: return 0;
    }
  }
};

}  // namespace allred
