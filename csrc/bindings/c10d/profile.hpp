// Profile: the profiler's record of one call.
#pragma once

#include <ATen/ATen.h>
#include <ATen/ThreadLocalState.h>
#include <ATen/record_function.h>

#include <memory>
#include <vector>

namespace allred::backend {

/// A synchronous call is recorded as the calls of other backends are: as something that began here and ended when it
/// was done. Costs one load where nobody profiles.
class Profile {
 public:
  Profile(const char* title, at::TensorList inputs) {
    if (!at::hasCallbacks()) return;
    record_.emplace(at::RecordScope::USER_SCOPE);
    if (!record_->isActive()) return;
    record_->_setAsync();
    std::vector<c10::IValue> values(inputs.begin(), inputs.end());
    record_->before(title, c10::ArrayRef<const c10::IValue>(values.data(), values.size()));
  }
  Profile(const Profile&) = delete;  // the record has one end
  Profile& operator=(const Profile&) = delete;
  ~Profile() {
    if (record_ && record_->isActive()) record_->end();
  }

 private:
  std::optional<at::RecordFunction> record_;
};

}  // namespace allred::backend
