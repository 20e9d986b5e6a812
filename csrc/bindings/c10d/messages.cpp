// Messages between two ranks.
#include "bindings/c10d/arguments.hpp"
#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/process_group.hpp"
#include "bindings/c10d/work.hpp"

namespace allred::backend {
namespace {

using ::c10d::OpType;

/// Where a call with wrong arguments would have gone: its peer may be waiting for it.
Message address(Message::Direction direction, int peer, int tag) {
  return {.direction = direction, .peer = peer, .tag = tag};
}

}  // namespace

template <class Make>
ProcessGroupAllred::WorkPtr ProcessGroupAllred::message(Message message, at::TensorList tensors, Make&& make) {
  ++num_calls_;
  std::shared_ptr<Call> call;
  try {
    call = std::make_shared<Call>(make(message));
  } catch (...) {
    communicator_->refuse(std::move(message), message_of(std::current_exception()));
    throw;
  }
  message.timeout = timeout_.load();
  message.keepalive = call;
  message.details = call.get();
  const Origin origin{rank_, tensors, at::hasCallbacks(), check_interrupt_};
  auto work = c10::make_intrusive<PendingWork>(origin, std::move(call));
  try {
    work->add(communicator_->submit(std::move(message)));
  } catch (const Error& error) {
    rethrow(error);
  }
  if (origin.profiled) work->settle_when_done();
  if (coalescing_.is_open()) coalescing_.add(work);
  return work;
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::send(Tensors& tensors, int destination, int tag) {
  check_rank({"send", "destination"}, destination, size_);
  check_tag("send", tag);
  return message(address(Message::Direction::send, destination, tag), tensors, [&](Message& message) {
    const Argument argument{"send", "tensor"};
    const at::Tensor& tensor = only(tensors, argument);
    check_tensor(tensor, argument);
    const Elements elements = elements_to_move(tensor);
    Call call{OpType::SEND, "allred:send", tensors};
    message.dtype = elements.dtype;
    message.count = elements.count;
    message.buffer = const_cast<void*>(call.read(tensor));
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::receive(Tensors& tensors, int source, int tag, OpType type,
                                                        const char* title) {
  check_tag("recv", tag);
  return message(address(Message::Direction::recv, source, tag), tensors, [&](Message& message) {
    const Argument argument{"recv", "tensor"};
    const at::Tensor& tensor = only(tensors, argument);
    check_tensor(tensor, argument);
    const Elements elements = elements_to_move(tensor);
    Call call{type, title, tensors};
    message.dtype = elements.dtype;
    message.count = elements.count;
    message.buffer = call.write(tensor, argument);
    return call;
  });
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::recv(Tensors& tensors, int source, int tag) {
  check_rank({"recv", "source"}, source, size_);
  return receive(tensors, source, tag, OpType::RECV, "allred:recv");
}

ProcessGroupAllred::WorkPtr ProcessGroupAllred::recvAnysource(Tensors& tensors, int tag) {
  return receive(tensors, kAnySource, tag, OpType::RECVANYSOURCE, "allred:recvAnySource");
}

}  // namespace allred::backend
