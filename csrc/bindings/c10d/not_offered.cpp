// The calls of c10d that the backend does not offer.
#include "bindings/c10d/errors.hpp"
#include "bindings/c10d/process_group.hpp"

namespace allred::backend {
namespace {

[[noreturn]] void refuse(const std::string& call) {
  throw_unsupported("the allred backend does not offer " + call + "; use a group of another backend for it");
}

}  // namespace

using WorkPtr = ProcessGroupAllred::WorkPtr;

WorkPtr ProcessGroupAllred::allreduce_sparse(Tensors&, const ::c10d::AllreduceOptions&) {
  refuse("all_reduce of sparse tensors");
}
WorkPtr ProcessGroupAllred::allgather_coalesced(TensorLists&, Tensors&, const ::c10d::AllgatherOptions&) {
  refuse("all_gather_coalesced");
}
WorkPtr ProcessGroupAllred::gather(TensorLists&, Tensors&, const ::c10d::GatherOptions&) { refuse("gather"); }
WorkPtr ProcessGroupAllred::scatter(Tensors&, TensorLists&, const ::c10d::ScatterOptions&) { refuse("scatter"); }
WorkPtr ProcessGroupAllred::alltoall(Tensors&, Tensors&, const ::c10d::AllToAllOptions&) { refuse("all_to_all"); }
WorkPtr ProcessGroupAllred::alltoall_base(at::Tensor&, at::Tensor&, std::vector<int64_t>&, std::vector<int64_t>&,
                                          const ::c10d::AllToAllOptions&) {
  refuse("all_to_all_single");
}
WorkPtr ProcessGroupAllred::send(Tensors&, int, int) { refuse("send"); }
WorkPtr ProcessGroupAllred::recv(Tensors&, int, int) { refuse("recv"); }
WorkPtr ProcessGroupAllred::recvAnysource(Tensors&, int) { refuse("recv from any source"); }
void ProcessGroupAllred::monitoredBarrier(const ::c10d::BarrierOptions&, bool) { refuse("monitored_barrier"); }

}  // namespace allred::backend
