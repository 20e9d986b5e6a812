// Acquaintances: what the ranks of a communicator keep of each other, by which some of them can make another one.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace allred {

/// May outlive the communicator. Immutable.
class Acquaintances {
 public:
  virtual ~Acquaintances() = default;
  virtual int size() const noexcept = 0;
};

/// How ranks that know each other make another communicator, with nobody in between.
struct Reunion {
  std::shared_ptr<const Acquaintances> acquaintances;
  std::vector<int> members;  // of the new communicator: ranks among the acquaintances
  int rank;                  // this one's place among the members
  std::string name;          // the same on all members, and of no other reunion of these acquaintances

  int size() const noexcept { return static_cast<int>(members.size()); }
};

}  // namespace allred
