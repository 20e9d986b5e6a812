#include "bindings/c10d/sparse.hpp"

#include <ATen/core/LegacyTypeDispatch.h>

#include <algorithm>
#include <memory>

#include "bindings/c10d/arguments.hpp"
#include "bindings/c10d/errors.hpp"

namespace allred::backend {
namespace {

constexpr std::int64_t kMaxDimensions = 30;
constexpr std::int64_t kHeaderCount = 2 + kMaxDimensions;  // values specified, sparse dimensions, sizes

const Argument kTensor{"all_reduce", "tensor"};

/// One call's tensors, from the first request to the last.
class SparseSum {
 public:
  SparseSum(const at::Tensor& tensor, const Reduction& reduction, std::size_t group_size)
      : tensor_(tensor),
        part_(tensor.coalesce()),
        divisor_(reduction.op == ReduceOp::avg ? static_cast<double>(group_size) : 1.0),
        num_ranks_(static_cast<std::int64_t>(group_size)),
        header_(at::full({kHeaderCount}, -1, at::kLong)),
        headers_(at::empty({num_ranks_, kHeaderCount}, at::kLong)) {
    auto* header = header_.mutable_data_ptr<std::int64_t>();
    header[0] = part_._nnz();
    header[1] = part_.sparse_dim();
    std::ranges::copy(tensor.sizes(), header + 2);
  }

  void gather_headers(Request& request) { all_gather(request, header_, headers_); }

  void gather_indices(Request& request) {
    check_shapes();
    pad(request, part_._indices().t().contiguous(), indices_);
  }

  void gather_values(Request& request) { pad(request, part_._values().contiguous(), values_); }

  void add_up() const {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    std::vector<at::Tensor> indices, values;
    for (std::int64_t rank = 0; rank < num_ranks_; ++rank) {
      indices.push_back(indices_[rank].narrow(0, 0, specified_by(rank)));
      values.push_back(values_[rank].narrow(0, 0, specified_by(rank)));
    }
    at::Tensor sum = at::sparse_coo_tensor(at::cat(indices).t(), at::cat(values), tensor_.sizes()).coalesce();
    tensor_.copy_(divisor_ == 1.0 ? sum : sum / divisor_);
  }

 private:
  std::int64_t specified_by(std::int64_t rank) const { return headers_[rank][0].item<std::int64_t>(); }

  void check_shapes() const {
    const at::Tensor shapes = headers_.slice(1, 1);
    for (std::int64_t rank = 1; rank < num_ranks_; ++rank) {
      if (shapes[rank].equal(shapes[0])) continue;
      throw_invalid("all_reduce: rank 0 has a sparse tensor of " + describe(0) + ", rank " + std::to_string(rank) +
                    " one of " + describe(rank) + "; expected the same");
    }
  }

  std::string describe(std::int64_t rank) const {
    const auto* header = headers_.const_data_ptr<std::int64_t>() + rank * kHeaderCount;
    std::string sizes;
    for (const auto* size = header + 2; size < header + kHeaderCount && *size >= 0; ++size) {
      sizes += (sizes.empty() ? "" : ", ") + std::to_string(*size);
    }
    return "shape [" + sizes + "], sparse in " + std::to_string(header[1]) + " dimensions";
  }

  /// Gathers as many rows from each rank as the one with most has.
  void pad(Request& request, const at::Tensor& rows, at::Tensor& gathered) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    std::vector<std::int64_t> shape = rows.sizes().vec();
    shape[0] = headers_.select(1, 0).max().item<std::int64_t>();
    at::Tensor padded = rows;
    if (shape[0] != rows.size(0)) {
      padded = at::zeros(shape, rows.options());
      padded.narrow(0, 0, rows.size(0)).copy_(rows);
    }
    shape.insert(shape.begin(), num_ranks_);
    gathered = at::empty(shape, rows.options());
    all_gather(request, padded, gathered);
  }

  void all_gather(Request& request, const at::Tensor& input, const at::Tensor& output) {
    const Elements elements = elements_to_move(input);
    held_.push_back(input);
    request.collective = Collective::all_gather;
    request.dtype = elements.dtype;
    request.count = elements.count;
    request.input = input.const_data_ptr();
    request.output = output.mutable_data_ptr();
  }

  at::Tensor tensor_;
  at::Tensor part_;
  double divisor_;
  std::int64_t num_ranks_;
  at::Tensor header_, headers_, indices_, values_;
  std::vector<at::Tensor> held_;
};

void check(const at::Tensor& tensor, const Reduction& reduction) {
  if (!tensor.is_cpu()) {
    throw_invalid(kTensor.describe() + " is on device " + tensor.device().str() +
                  "; the allred backend takes CPU tensors");
  }
  if (reduction.op != ReduceOp::sum && reduction.op != ReduceOp::avg) {
    throw_invalid(kTensor.describe() + " is sparse, and op=" + std::string(name(reduction.op)) +
                  " is not defined for sparse tensors; expected sum or avg");
  }
  if (tensor.dim() > kMaxDimensions) {
    throw_invalid(kTensor.describe() + " has " + std::to_string(tensor.dim()) + " dimensions, expected at most " +
                  std::to_string(kMaxDimensions));
  }
  check_reduction(tensor._values(), reduction, kTensor.call);
}

}  // namespace

Call sparse_all_reduce(const at::Tensor& tensor, const Reduction& reduction, std::size_t group_size) {
  check(tensor, reduction);
  const auto sum = std::make_shared<SparseSum>(tensor, reduction, group_size);
  Call call{::c10d::OpType::_ALLREDUCE_SPARSE, "allred:sparse_all_reduce", {tensor}};
  call.requests.resize(3);
  sum->gather_headers(call.requests[0]);
  call.requests[1].prepare = [sum](Request& request) { sum->gather_indices(request); };
  call.requests[2].prepare = [sum](Request& request) { sum->gather_values(request); };
  call.finish = [sum] { sum->add_up(); };
  return call;
}

}  // namespace allred::backend
