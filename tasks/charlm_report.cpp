#include "charlm_report.h"

#include "progress.h"

namespace hindsight::tasks {

std::string grouped(Size count) {
  std::string digits = std::to_string(count);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3) {
    digits.insert(static_cast<std::size_t>(i), ",");
  }
  return digits;
}

std::string describe(const CharModel& model) {
  const CharModelOptions& options = model.options();
  return fmt::format("{} parameters: {} LSTM layer{} of {} units, {} symbols",
                     grouped(model.parameter_count()), options.layers,
                     options.layers == 1 ? "" : "s", options.hidden, model.vocabulary().size());
}

std::string progress_line(const std::string& where, const Pass& pass, double seconds_left) {
  return fmt::format("{} {:3}%  loss {:.4f}  {:.3f} bits/char  {} characters/s  {} left", where,
                     100 * pass.steps / pass.all_steps, pass.recent, bits(pass.recent),
                     short_count(pass.characters_per_second), duration(seconds_left));
}

std::string epoch_line(const std::string& where, const Pass& train, const Pass& valid) {
  return fmt::format(
      "{}  train {:.4f}  valid {:.4f} nats/char, {:.3f} bits/char  {:.1f} s  {} characters/s",
      where, train.nats, valid.nats, bits(valid.nats), train.seconds,
      short_count(train.characters_per_second));
}

}  // namespace hindsight::tasks
