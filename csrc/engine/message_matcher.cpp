#include "engine/message_matcher.hpp"

#include <algorithm>

#include "reduce/copy.hpp"

namespace allred {
namespace {

bool match(const Message& recv, int source, int tag) noexcept {
  return recv.tag == tag && (recv.peer == source || recv.peer == kAnySource);
}

}  // namespace

std::shared_ptr<MessageWork> MessageMatcher::take_recv(int source, int tag) {
  const auto found = std::ranges::find_if(
      posted_, [&](const std::shared_ptr<MessageWork>& work) { return match(work->message(), source, tag); });
  if (found == posted_.end()) return nullptr;
  std::shared_ptr<MessageWork> recv = std::move(*found);
  posted_.erase(found);
  return recv;
}

void MessageMatcher::keep(int source, int tag, std::span<const std::byte> frame) {
  KeptFrame kept{source, tag, frame.size(), std::make_unique_for_overwrite<std::byte[]>(frame.size())};
  copy_bytes(kept.data.get(), frame.data(), frame.size());
  kept_.push_back(std::move(kept));
}

std::optional<KeptFrame> MessageMatcher::take_frame(const Message& recv) {
  const auto found =
      std::ranges::find_if(kept_, [&](const KeptFrame& kept) { return match(recv, kept.source, kept.tag); });
  if (found == kept_.end()) return std::nullopt;
  KeptFrame frame = std::move(*found);
  kept_.erase(found);
  return frame;
}

void MessageMatcher::forget(const MessageWork& recv) {
  std::erase_if(posted_, [&](const std::shared_ptr<MessageWork>& work) { return work.get() == &recv; });
}

}  // namespace allred
