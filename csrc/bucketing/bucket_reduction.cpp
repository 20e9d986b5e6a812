#include "bucketing/bucket_reduction.hpp"

namespace allred {
namespace {

/// What a rank says of its bucket when the ranks disagree, and what keeps the bucket alive.
struct BucketDetails final : RequestDetails {
  BucketDetails(const BucketBuffer& buffer, const BackwardPass& pass) : buffer(buffer), pass(pass) {}

  std::string describe() const override {
    std::string text = "gradient bucket " + std::to_string(buffer.index) + " of " + std::to_string(buffer.num_buckets) +
                       ", in backward pass " + std::to_string(pass.number);
    if (pass.num_forwards == 0) return text;
    return text + " after " + std::to_string(pass.num_forwards) + (pass.num_forwards == 1 ? " forward" : " forwards");
  }

  BucketBuffer buffer;
  BackwardPass pass;
};

/// Marks in a trace the time from a bucket's being full to the end of `work`.
void trace_bucket(const std::shared_ptr<Recorder>& recorder, const BucketBuffer& buffer, Work& work) {
  if (!recorder->is_on()) return;
  const std::uint64_t bytes = buffer.count * size_of(buffer.dtype);
  recorder->instant("bucket ready", buffer.index, bytes);
  work.on_done([recorder, begin = recorder->now(), index = buffer.index, bytes](const Work&) {
    recorder->span("bucket", begin, index, bytes);
  });
}

}  // namespace

BucketReduction::BucketReduction(Communicator& communicator, const BucketBuffer& buffer, const BackwardPass& pass,
                                 std::chrono::milliseconds timeout) {
  const auto details = std::make_shared<BucketDetails>(buffer, pass);
  work_ = communicator.submit({.collective = Collective::all_reduce,
                               .op = ReduceOp::avg,
                               .dtype = buffer.dtype,
                               .tag = pass.num_forwards,
                               .count = buffer.count,
                               .input = buffer.data,
                               .output = buffer.data,
                               .timeout = timeout,
                               .keepalive = details,
                               .details = details.get()});
  trace_bucket(communicator.recorder(), buffer, *work_);
}

}  // namespace allred
