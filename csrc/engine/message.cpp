#include "engine/message.hpp"

namespace allred {

std::string Message::describe() const {
  const std::string who = peer == kAnySource ? "any" : std::to_string(peer);
  return (is_send() ? "send(to=" : "recv(source=") + who + ", tag=" + std::to_string(tag) +
         ", dtype=" + std::string(name(dtype)) + ", count=" + std::to_string(count) + ")";
}

}  // namespace allred
