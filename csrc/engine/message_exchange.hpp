// MessageExchange: moves the messages between this rank and its peers.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "common/chunks.hpp"
#include "engine/connections.hpp"
#include "engine/message_errors.hpp"
#include "engine/message_matcher.hpp"
#include "engine/message_outbox.hpp"
#include "engine/message_work.hpp"
#include "engine/monitor.hpp"
#include "engine/recorder.hpp"
#include "engine/way_chooser.hpp"
#include "transport/shared_pieces.hpp"

namespace allred {

/// A small message is *eager*: it goes into the link, in one frame or in several, and its send is done when it is
/// there. A large one is offered: the receiver, once its recv is there, has it in the way that is faster here and now.
/// Either it copies the message out of the sender's memory, lets the sender copy a part of it into its own, and
/// answers; or it asks the sender to push it through the link, as it does where the system forbids the former.
///
/// Thread-safe, and never blocks for a peer. Something happens only while threads call in: as long as any work is
/// pending, one must call progress() over and over, and check() now and then. `monitor` and `recorder` must
/// outlive it.
class MessageExchange {
 public:
  struct Limits {
    std::size_t eager_bytes;   // up to here, and where they fit a frame, messages are eager
    std::size_t stream_bytes;  // larger ones of up to here stream where that is the faster way
    std::size_t cached_bytes;  // up to here, what has come through the link is written through the caches
  };

  MessageExchange(Monitor& monitor, PointToPointLinks links, std::chrono::milliseconds timeout, const Limits& limits,
                  Recorder& recorder);

  // ---- small messages at once, without a work ----
  //
  // `called` is when the program made the call, or none where that is not traced. What is not done in this way is left
  // as it is, for start() to do.

  /// Whether `message` travels in one frame.
  bool is_small(const Message& message) const noexcept { return message.bytes() <= max_frame_bytes_; }

  /// Sends or refuses a small message, if nothing is before it and there is room. Throws as start() does.
  bool try_send(const Message& message, TraceTime called);

  /// Receives a small message that is the next to come from its peer, if is_idle(); returns the rank that sent it.
  std::optional<int> try_recv(const Message& message, TraceTime called);

  /// Whether all that was to be sent or received here has been, so that what comes is for the next recv.
  bool is_idle() const noexcept { return pending() == 0 && !has_kept_.load(std::memory_order_relaxed); }

  /// Whether a frame has come from the peer of `recv`, or with kAnySource from any rank, that nobody has taken yet. No
  /// lock.
  bool has_arrived(const Message& recv) const noexcept;

  // ---- all messages ----

  /// Begins a send or a recv; it may be done at once. Throws, with nothing done, where the communicator is over.
  void start(const std::shared_ptr<MessageWork>& work, TraceTime called);

  /// Moves what can be moved, unless another thread is at it. True if something did, and more may follow at once.
  bool progress() noexcept;

  /// Ends what can no longer come about: past its deadline, without its peer, or because the communicator is over.
  void check() noexcept;

  /// Ends all works with `reason`, now and later.
  void close(const std::exception_ptr& reason);

  /// What has ended since this was last asked; to be let go with no lock held, as buffers go with it.
  EndedMessages take_ended();

  /// How many works are not done.
  std::size_t pending() const noexcept { return num_pending_.load(std::memory_order_relaxed); }

  Doorbell& doorbell() noexcept { return *doorbell_; }

 private:
  using Clock = std::chrono::steady_clock;
  using WorkPointer = std::shared_ptr<MessageWork>;

  struct Peer {
    explicit Peer(std::unique_ptr<MessageLink> to) : link(std::move(to)), outbox(*link) {}

    std::unique_ptr<MessageLink> link;
    MessageOutbox outbox;
    WorkPointer arriving = {};              // the recv of the eager message of which pieces are still to come
    std::vector<WorkPointer> streams = {};  // recvs whose data comes through the link
    PeerState state = PeerState::alive;     // when last looked at
    WayChooser ways = {};                   // for messages from it
    bool is_readable = false;               // a message was copied out of its memory
    bool is_sharing = false;                // it has leave to copy a part of a message to its recv's buffer
  };

  // What follows needs mutex_, but for what says otherwise.

  void throw_if_over(const Message& message) const;
  void start_send(const WorkPointer& work);
  void start_recv(const WorkPointer& work);
  bool send_at_once(const Message& message, TraceTime called);
  FrameKind kind_of(const Message& message) const noexcept;
  OutgoingFrame frame_of(const WorkPointer& send);
  void enqueue(int rank, OutgoingFrame frame);
  void push(Peer& peer);
  void push_all();

  bool has_something_to_move() const noexcept;  // needs no lock
  bool has_any_arrived() const noexcept;
  bool receive(int rank);  // needs receiving_ and not mutex_
  void take(int source, std::span<const std::byte> bytes);
  void take_message(int source, const FrameView& frame, std::span<const std::byte> bytes);
  void take_rest(int source, std::span<const std::byte> piece);
  void take_answer(int source, const FrameView& frame);
  void take_kept(const WorkPointer& recv, const KeptMessage& kept);
  bool deliver(const WorkPointer& recv, int source, const FrameView& frame);
  bool accept(const WorkPointer& recv, int source, const FrameView& frame);
  void decline(const WorkPointer& recv, const FrameView& frame, const std::string& reason, std::exception_ptr error);

  bool add_piece(MessageWork& recv, std::span<const std::byte> piece);
  static MessageFrame answer_to(const MessageWork& recv, FrameKind kind) noexcept;

  void take_up(const WorkPointer& recv);
  void ask_for_stream(const WorkPointer& recv);
  void take_data(int source, const FrameView& frame);
  void note_time(const MessageWork& recv, Way way);
  bool read_piece();  // needs receiving_ and not mutex_; so does the next one
  Chunk next_piece(const MessageWork& recv);
  void after_piece(const WorkPointer& recv);
  bool is_still_offered(int source) const;
  SharedPieces pieces_from(int source) noexcept;
  void share(const WorkPointer& recv);
  void stop_sharing(MessageWork& recv) noexcept;
  void take_share(const WorkPointer& send, const FrameView& frame);
  bool write_piece();  // needs receiving_ and not mutex_
  bool is_let_go(MessageWork& work);

  void add(const WorkPointer& work);
  void record(const Message& message, int source, TraceTime called, bool failed) noexcept;  // needs no lock
  void end(const WorkPointer& work, std::exception_ptr error = nullptr);
  void end_all(const std::function<std::exception_ptr(const MessageWork&)>& error_of);
  void drop(const MessageWork& work);
  void end_if_over();
  void look_at_peers(Clock::time_point now) noexcept;  // needs receiving_ as well
  bool is_awaited(int rank) const noexcept;
  std::exception_ptr failure_of(const MessageWork& work, Clock::time_point now) const;
  std::exception_ptr loss_of(const MessageWork& work) const;

  Peer& peer(int rank) noexcept { return *peers_[static_cast<std::size_t>(rank)]; }
  const Peer& peer(int rank) const noexcept { return *peers_[static_cast<std::size_t>(rank)]; }

  Monitor& monitor_;
  const MessageErrors errors_;
  const std::chrono::milliseconds timeout_;
  const Limits limits_;
  std::size_t max_frame_bytes_ = 0;  // of a message
  Recorder& recorder_;
  const std::unique_ptr<Doorbell> doorbell_;
  const std::shared_ptr<RemoteMemory> remote_;

  /// Held by whoever takes frames out of the links or reads a peer's memory. Works fail under it alone, so that none is
  /// done while its buffer is still written to. Comes before mutex_.
  std::mutex receiving_;
  Clock::time_point next_look_ = {};

  std::mutex mutex_;                          // guards what follows
  std::vector<std::unique_ptr<Peer>> peers_;  // by rank; none for this one; always the same
  MessageMatcher matcher_;
  std::map<std::uint64_t, WorkPointer> offers_;  // sends that wait for an answer, by the offer's id
  std::uint64_t last_offer_ = 0;
  std::deque<WorkPointer> reads_;   // recvs whose messages are being copied out of their senders' memory
  std::deque<WorkPointer> writes_;  // sends that are being copied into their receivers' memory
  std::vector<WorkPointer> pending_;
  EndedMessages ended_;
  std::exception_ptr closed_;

  // For those who do not hold the mutex.
  std::atomic<std::size_t> num_pending_{0};
  std::atomic<bool> has_queued_{false};  // some outbox holds frames
  std::atomic<bool> has_kept_{false};    // messages have come before their recvs
  std::atomic<bool> has_reads_{false};
  std::atomic<bool> has_writes_{false};
};

}  // namespace allred
