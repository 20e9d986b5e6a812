// Whose processor this is, where that decides between two ways to the same result.
#pragma once

namespace allred {

bool is_amd() noexcept;

}  // namespace allred
