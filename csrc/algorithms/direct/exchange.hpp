// Staged exchange: gather, scatter and all_to_all of large messages through staging memory, pipelined.
//
//   nouns   part: a rank's slot is divided among those it sends to, to each as large a part as its share of what the
//           rank sends; so all of them are through after the same number of rounds. One receiver has the whole slot
//   steps   stage(k)  wait until those that read this rank's slot when it was last used have released it, fill their
//                     parts, signal `staged`
//           take(k)   wait for each rank that has a part for this one in round k, copy it to the output; signal
//                     `released`
//           in the order stage(k + 1), take(k)
//   rounds  ranks that send less need fewer. Each is through when it has no more to stage and to take; afterwards all
//           count the rounds of the rank that needed most, which each can tell from the counts
//   bytes   a rank stages what it sends to others and reads what others send to it, each once
//   wins    on one host, for messages that outgrow a mailbox
#pragma once

#include "algorithms/direct/direct_call.hpp"

namespace allred {

void staged_exchange(DirectCall& call);

}  // namespace allred
