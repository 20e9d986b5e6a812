// Counts what a program does between marks, without counters of the processor: it goes instruction by instruction.
//
//     count_steps OUTPUT PROGRAM [ARGUMENT...]
//
// The program raises SIGUSR1 in its first thread where a region begins and where it ends; the signal is not delivered.
// That thread alone is traced: others, and forked processes, run on at full speed. OUTPUT gets a line of JSON a region,
// with its instructions, its system calls and, for a profile, how often each address was run: [file, offset, times]. A
// repeated string instruction counts once a repetition. One instruction takes some microseconds. Exits as the program
// does, with 77 where the system permits no tracing.
#include <elf.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "memory_map.hpp"

namespace {

constexpr int kNotPermitted = 77;

/// The stopped first thread of another process.
class Tracee {
 public:
  explicit Tracee(pid_t pid) : pid_(pid) {}

  std::uint64_t next_instruction() const {
    user_regs_struct registers{};
    iovec where{&registers, sizeof(registers)};
    if (ptrace(PTRACE_GETREGSET, pid_, NT_PRSTATUS, &where) != 0) throw std::runtime_error("cannot read the registers");
#if defined(__x86_64__)
    return registers.rip;
#else
    return registers.pc;
#endif
  }

  bool is_system_call(std::uint64_t address) const {
    const auto code = static_cast<std::uint32_t>(ptrace(PTRACE_PEEKTEXT, pid_, address, nullptr));
#if defined(__x86_64__)
    return (code & 0xffff) == 0x050f;
#else
    return code == 0xd4000001;
#endif
  }

  /// Goes on, with a signal if not 0, until the next stop. False where that is the end.
  bool go_on(int signal) { return resume(PTRACE_CONT, signal); }
  bool step(int signal) { return resume(PTRACE_SINGLESTEP, signal); }

  int stop_signal() const { return WSTOPSIG(status_); }
  int exit_status() const { return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_); }
  pid_t pid() const { return pid_; }

 private:
  bool resume(__ptrace_request how, int signal) {
    if (ptrace(how, pid_, nullptr, signal) != 0) throw std::runtime_error("cannot resume the program");
    if (waitpid(pid_, &status_, __WALL) != pid_) throw std::runtime_error("cannot wait for the program");
    return WIFSTOPPED(status_);
  }

  pid_t pid_;
  int status_ = 0;
};

/// What was run between two marks.
class Region {
 public:
  void add(const Tracee& tracee, std::uint64_t address) {
    const auto [site, is_new] = sites_.try_emplace(address);
    if (is_new) site->second.is_system_call = tracee.is_system_call(address);
    ++site->second.times;
    ++instructions_;
    if (site->second.is_system_call) ++system_calls_;
  }

  void print(std::ostream& output, const MemoryMap& map) const {
    output << R"({"instructions": )" << instructions_ << R"(, "system_calls": )" << system_calls_
           << R"(, "profile": [)";
    const char* separator = "";
    for (const auto& [address, site] : sites_) {
      const MemoryMap::Place place = map.find(address);
      output << separator << "[\"" << place.file << "\", " << place.offset << ", " << site.times << "]";
      separator = ", ";
    }
    output << "]}" << std::endl;
  }

 private:
  struct Site {
    std::uint64_t times = 0;
    bool is_system_call = false;
  };

  std::unordered_map<std::uint64_t, Site> sites_;
  std::uint64_t instructions_ = 0;
  std::uint64_t system_calls_ = 0;
};

/// From a mark to the next. False where the program ends before.
bool count_region(Tracee& tracee, Region& region) {
  for (int signal = 0;; signal = tracee.stop_signal() == SIGTRAP ? 0 : tracee.stop_signal()) {
    const std::uint64_t address = tracee.next_instruction();
    if (!tracee.step(signal)) return false;
    if (tracee.stop_signal() == SIGUSR1) return true;
    region.add(tracee, address);
  }
}

void trace(Tracee& tracee, std::ostream& output) {
  int signal = 0;
  while (tracee.go_on(signal)) {
    signal = tracee.stop_signal() == SIGTRAP ? 0 : tracee.stop_signal();
    if (signal != SIGUSR1) continue;
    signal = 0;
    Region region;
    if (!count_region(tracee, region)) return;
    region.print(output, MemoryMap(tracee.pid()));
  }
}

/// Runs the program, stopped at its first instruction.
pid_t start(char** words) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(kNotPermitted);
  execvp(words[0], words);
  std::fprintf(stderr, "count_steps: %s: %s\n", words[0], std::strerror(errno));
  _exit(127);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: count_steps OUTPUT PROGRAM [ARGUMENT...]\n"), 2;
  try {
    std::ofstream output(argv[1]);
    if (!output) throw std::runtime_error(std::string(argv[1]) + " cannot be written");
    Tracee tracee(start(argv + 2));
    int status = 0;
    if (waitpid(tracee.pid(), &status, 0) != tracee.pid()) throw std::runtime_error("cannot start the program");
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    trace(tracee, output);
    return tracee.exit_status();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "count_steps: %s\n", error.what());
    return 2;
  }
}
