#include "common/tuning.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "common/error.hpp"

namespace allred {
namespace {

std::string known_names() {
  std::string text;
  for (const TuningField& field : kTuningFields) text += (text.empty() ? "" : ", ") + std::string(field.name);
  return text;
}

const TuningField& field_named(std::string_view name) {
  for (const TuningField& field : kTuningFields) {
    if (field.name == name) return field;
  }
  throw Error(ErrorCode::invalid_argument,
              "tuning: '" + std::string(name) + "' is not known; expected one of: " + known_names());
}

std::size_t parse_number(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  throw Error(ErrorCode::invalid_argument, "tuning: '" + std::string(text) + "' is not a number");
}

}  // namespace

std::size_t chunk_bytes_for(std::size_t contribution_bytes, bool has_core_a_rank, const Tuning& tuning) noexcept {
  constexpr std::size_t kRounds = 4;  // enough for the ranks to work side by side
  if (!has_core_a_rank) return tuning.chunk_bytes_shared;
  const std::size_t most = std::max(tuning.chunk_bytes, tuning.most_chunk_bytes);
  return std::clamp(contribution_bytes / kRounds, tuning.chunk_bytes, most);
}

void set_field(Tuning& tuning, std::string_view name, std::size_t value) {
  const TuningField& field = field_named(name);
  if (value < field.least || value > field.most) {
    throw Error(ErrorCode::invalid_argument, "tuning: " + std::string(name) + " must be in " +
                                                 std::to_string(field.least) + ".." + std::to_string(field.most) +
                                                 ", got " + std::to_string(value));
  }
  tuning.*field.member = value;
}

std::string encode(const Tuning& tuning) {
  std::string lines;
  for (const TuningField& field : kTuningFields) {
    lines += std::string(field.name) + '=' + std::to_string(tuning.*field.member) + '\n';
  }
  return lines;
}

Tuning decode_tuning(const std::string& lines) {
  Tuning tuning;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    const std::size_t equals = std::min(line.find('='), line.size());
    const std::string_view text = line;
    set_field(tuning, text.substr(0, equals), parse_number(text.substr(std::min(equals + 1, line.size()))));
  }
  return tuning;
}

}  // namespace allred
