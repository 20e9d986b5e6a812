#include "algorithms/choice.hpp"

#include "algorithms/direct/one_shot.hpp"
#include "algorithms/shot_chooser.hpp"

namespace allred {
namespace {

/// No threshold lies beyond it.
constexpr std::size_t kMostBytes = std::size_t{1} << 48;

Algorithm choose(Collective collective, std::size_t contribution_bytes, const ChoiceSetting& setting) {
  return select(collective, contribution_bytes, setting.mailbox_bytes, setting.topology, setting.tuning);
}

/// The first size above `from` for which another algorithm is chosen than for `from`, of those up to `to`, where
/// another one is.
std::size_t find_change(Collective collective, std::size_t from, std::size_t to, const ChoiceSetting& setting) {
  const Algorithm before = choose(collective, from, setting);
  while (to - from > 1) {
    const std::size_t middle = from + (to - from) / 2;
    (choose(collective, middle, setting) == before ? from : to) = middle;
  }
  return to;
}

/// Sizes are probed at powers of two, and bisected where the answer changes between them.
std::vector<Stretch> find_stretches(Collective collective, const ChoiceSetting& setting) {
  std::vector<Stretch> stretches{{0, choose(collective, 0, setting)}};
  std::size_t from = 0;
  for (std::size_t to = 1; to <= kMostBytes; to *= 2) {
    while (choose(collective, to, setting) != stretches.back().algorithm) {
      from = find_change(collective, from, to, setting);
      stretches.push_back({from, choose(collective, from, setting)});
    }
    from = to;
  }
  return stretches;
}

/// Whether a slightly smaller number makes a stretch end earlier.
bool is_decisive(Collective collective, const std::vector<Stretch>& stretches, const ChoiceSetting& smaller) {
  for (std::size_t idx = 1; idx < stretches.size(); ++idx) {
    const std::size_t last = stretches[idx].from - 1;
    if (choose(collective, last, smaller) != stretches[idx - 1].algorithm) return true;
  }
  return false;
}

std::vector<Threshold> find_decisive(Collective collective, const std::vector<Stretch>& stretches,
                                     const ChoiceSetting& setting) {
  const auto slightly_less = [](std::size_t value) { return value - value / 16 - (value > 0 ? 1 : 0); };
  std::vector<Threshold> decisive;
  for (const TuningField& field : kTuningFields) {
    ChoiceSetting smaller = setting;
    smaller.tuning.*field.member = slightly_less(setting.tuning.*field.member);
    const bool decides = is_decisive(collective, stretches, smaller);
    if (decides) decisive.push_back({field.name, setting.tuning.*field.member});
  }
  ChoiceSetting smaller = setting;
  smaller.mailbox_bytes = slightly_less(setting.mailbox_bytes);
  if (is_decisive(collective, stretches, smaller)) decisive.push_back({"mailbox_bytes", setting.mailbox_bytes});
  return decisive;
}

}  // namespace

Choice explain_choice(Collective collective, std::size_t bytes, const ChoiceSetting& setting) {
  Choice choice;
  choice.mailbox_bytes = setting.mailbox_bytes;
  choice.contribution_bytes = one_shot_bytes(collective, bytes, setting.topology.size());
  choice.algorithm = choose(collective, choice.contribution_bytes, setting);
  const std::size_t most = trial_limit(setting.mailbox_bytes, setting.topology, setting.tuning);
  const bool tries = collective == Collective::all_reduce && choice.algorithm == Algorithm::two_shot &&
                     ShotChooser::class_of(choice.contribution_bytes, most) != ShotChooser::kNone;
  choice.trial_bytes = tries ? most : 0;
  choice.stretches = find_stretches(collective, setting);
  choice.decisive = find_decisive(collective, choice.stretches, setting);
  return choice;
}

}  // namespace allred
