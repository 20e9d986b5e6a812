#include "schedule/describe.hpp"

namespace allred {

std::string describe(const Range& range) {
  return std::string(name(range.buffer)) + "[" + std::to_string(range.offset) + ".." +
         std::to_string(range.offset + range.count) + ")";
}

std::string describe(const Step& step) {
  if (step.kind == StepKind::copy) return "copy " + describe(step.source) + " to " + describe(step.range);
  const std::string elements = std::to_string(step.range.count) + (step.range.count == 1 ? " element" : " elements");
  const std::string_view direction = step.kind == StepKind::send ? " to " : " from ";
  return std::string(name(step.kind)) + " " + elements + std::string(direction) + std::to_string(step.peer);
}

}  // namespace allred
