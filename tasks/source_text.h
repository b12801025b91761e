#pragma once
#include <string>

namespace hindsight::tasks {

/// The project's own *.h, *.cpp and *.md files as one text, ordered by file name whatever the
/// folder, so that its end is a mixture of all parts. FileError if the sources are not there.
struct SourceText {
  std::string text;
  int files = 0;
};
SourceText gather_source_text();

}  // namespace hindsight::tasks
