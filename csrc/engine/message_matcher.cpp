#include "engine/message_matcher.hpp"

#include <algorithm>

#include "reduce/copy.hpp"

namespace allred {
namespace {

bool match(const Message& recv, int source, int tag) noexcept {
  return recv.tag == tag && (recv.peer == source || recv.peer == kAnySource);
}

}  // namespace

KeptBytes::KeptBytes(std::span<const std::byte> bytes)
    : size(bytes.size()), data(std::make_unique_for_overwrite<std::byte[]>(bytes.size())) {
  copy_bytes(data.get(), bytes.data(), bytes.size());
}

std::shared_ptr<MessageWork> MessageMatcher::take_recv(int source, int tag) {
  const auto found = std::ranges::find_if(
      posted_, [&](const std::shared_ptr<MessageWork>& work) { return match(work->message(), source, tag); });
  if (found == posted_.end()) return nullptr;
  std::shared_ptr<MessageWork> recv = std::move(*found);
  posted_.erase(found);
  return recv;
}

void MessageMatcher::keep(int source, int tag, std::span<const std::byte> frame, std::size_t missing) {
  kept_.push_back({source, tag, KeptBytes(frame), missing});
}

void MessageMatcher::keep_rest(int source, std::span<const std::byte> piece) {
  const auto found = std::ranges::find_if(
      kept_, [&](const KeptMessage& kept) { return kept.source == source && kept.missing >= piece.size(); });
  if (found == kept_.end()) return;
  found->pieces.emplace_back(piece);
  found->missing -= piece.size();
}

std::optional<KeptMessage> MessageMatcher::take_message(const Message& recv) {
  const auto found =
      std::ranges::find_if(kept_, [&](const KeptMessage& kept) { return match(recv, kept.source, kept.tag); });
  if (found == kept_.end()) return std::nullopt;
  KeptMessage message = std::move(*found);
  kept_.erase(found);
  return message;
}

void MessageMatcher::forget(const MessageWork& recv) {
  std::erase_if(posted_, [&](const std::shared_ptr<MessageWork>& work) { return work.get() == &recv; });
}

}  // namespace allred
