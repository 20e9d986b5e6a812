// Double binary tree.
//
// Nouns    position: a rank's 1-based place in a tree numbered in order (left subtree, parent, right subtree), where
//          odd positions are leaves and even ones inner. half: the part of the message one tree carries.
// Steps    in each tree sums go up to the root, then the result comes down; segments follow each other through it. The
//          second tree is the first one mirrored (even size) or shifted by one (odd size), which swaps odd and even:
//          no rank is inner in both, so each rank sends and receives about the message twice, like in the ring.
// Bytes    sent a rank: at most twice the message (an inner rank: its half up once and down twice, and half up as the
//          other tree's leaf); 4 (size - 1) halves in all.
// Wins     for middle sizes and many ranks: about 2 log2(size) hops of latency at nearly the ring's bandwidth.
// Bits     each half is summed in one tree and then only copied, so all ranks end with the same bits.
// Source   P. Sanders, J. Speck, J. L. Träff: Two-tree algorithms for full bandwidth broadcast, reduction and scan.
//          Parallel Computing 35 (2009).
#include "algorithms/schedules/double_tree.hpp"

#include <array>
#include <utility>

#include "common/chunks.hpp"
#include "schedule/builder.hpp"

namespace allred {
namespace {

constexpr int kNone = 0;  // no position
constexpr std::size_t kNumTrees = 2;

int parent_position(int position, int size) {
  const int level = position & -position;
  const int balanced = (position ^ level) | (level << 1);
  return balanced <= size ? balanced : position ^ level;
}

std::array<int, 2> child_positions(int position, int size) {
  int level = (position & -position) >> 1;
  const int left = level == 0 ? kNone : position - level;
  while (level > 0 && position + level > size) level >>= 1;
  return {left, level == 0 ? kNone : position + level};
}

// The first tree numbers the ranks as they are; the second mirrors them (even size) or shifts them by one (odd size).
int position_of(std::size_t tree, int rank, int size) {
  if (tree == 0) return rank + 1;
  if (size % 2 == 0) return size - rank;
  return rank == 0 ? size : rank;
}

int rank_at(std::size_t tree, int position, int size) {
  if (tree == 0) return position - 1;
  return size % 2 == 0 ? size - position : position % size;
}

/// One rank's part in one tree, and how far it has come.
struct Branch {
  Range half;
  int parent = -1;
  std::array<int, 2> children{-1, -1};
  StepIdx summed = kNoStep;  // the half holds the sum of this rank's subtree
  StepIdx sent = kNoStep;    // and the parent has it
};

Branch make_branch(std::size_t tree, const ScheduleSpec& spec) {
  const Chunk chunk = chunk_of(spec.count, kNumTrees, tree);
  const int position = position_of(tree, spec.rank, spec.size);
  const auto rank_or_none = [&](int at) { return at == kNone ? -1 : rank_at(tree, at, spec.size); };
  const auto [left, right] = child_positions(position, spec.size);
  return {.half = {Buffer::output, chunk.offset, chunk.count},
          .parent = rank_or_none(parent_position(position, spec.size)),
          .children = {rank_or_none(left), rank_or_none(right)}};
}

void reduce_up(ScheduleBuilder& builder, Branch& branch) {
  branch.summed = builder.copy(branch.half, {Buffer::input, branch.half.offset, branch.half.count});
  for (const int child : branch.children) {
    if (child >= 0) branch.summed = builder.recv_reduce(child, branch.half, {branch.summed});
  }
  if (branch.parent >= 0) branch.sent = builder.send(branch.parent, branch.half, {branch.summed});
}

void broadcast_down(ScheduleBuilder& builder, const Branch& branch) {
  const bool is_root = branch.parent < 0;
  const StepIdx result = is_root ? branch.summed : builder.recv(branch.parent, branch.half, {branch.sent});
  for (const int child : branch.children) {
    if (child >= 0) builder.send(child, branch.half, {result});
  }
}

}  // namespace

Schedule double_tree_all_reduce(const ScheduleSpec& spec) {
  ScheduleBuilder builder(spec);
  // A pair of ranks may be neighbours in both trees. All ranks list up before down and the first tree before the
  // second, so the order of the messages on a link is the same at both ends and never waits in a circle.
  std::array<Branch, kNumTrees> branches{make_branch(0, spec), make_branch(1, spec)};
  for (Branch& branch : branches) reduce_up(builder, branch);
  for (const Branch& branch : branches) broadcast_down(builder, branch);
  return std::move(builder).take();
}

}  // namespace allred
