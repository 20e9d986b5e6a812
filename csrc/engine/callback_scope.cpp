#include "engine/callback_scope.hpp"

namespace allred {

thread_local int CallbackScope::current_ = 0;

}  // namespace allred
