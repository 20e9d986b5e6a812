#include "engine/message_work.hpp"

#include "engine/callback_scope.hpp"
#include "engine/messenger.hpp"

namespace allred {

MessageWork::MessageWork(Message message, std::weak_ptr<Messenger> messenger)
    : Work(std::move(message.keepalive)),
      message_(std::move(message)),
      messenger_(std::move(messenger)),
      depth_(CallbackScope::depth()) {}

std::optional<int> MessageWork::source() const noexcept {
  if (!done() || transfer_.source < 0) return std::nullopt;
  return transfer_.source;
}

void MessageWork::help(CheckInterrupt check_interrupt) {
  if (const std::shared_ptr<Messenger> messenger = messenger_.lock()) messenger->help(*this, check_interrupt);
}

void MessageWork::call_back(Callback callback) {
  const CallbackScope scope(depth_ + 1);
  callback(*this);
}

}  // namespace allred
