// tasks/setup.sh: packages that are missing when apt-get fails, and the output of a build.
#include "program.h"

namespace hindsight::test {
namespace {

/// Runs install_packages when `missing` is not installed and apt-get and sudo fail.
Outcome install(const Workplace& work, const std::string& missing, const std::string& user) {
  work.write("apt-get", "#!/bin/sh\necho no network >&2\nexit 100\n");
  std::filesystem::permissions(work.path("apt-get"), std::filesystem::perms::owner_all);
  const std::string script = R"(
    set -euo pipefail
    unset HINDSIGHT_SKIP_INSTALL
    PATH=$PWD:$PATH
    . "$0"
    sudo() { return 1; }
    id() { echo "$user"; }
    apt-cache() { :; }
    dpkg-query() { shift 3; printf '%s installed\n' "$@" | grep -vxF "$absent installed"; }
    absent=$1 user=$2
    install_packages
    echo "went on")";
  return work.finish(work.start_program(
      "bash", {"-c", script, HINDSIGHT_SOURCE_DIR "/tasks/setup.sh", missing, user}));
}

TEST_CASE("a missing required package ends the run, an optional one does not") {
  const Workplace work;
  for (const char* user : {"0", "1000"}) {  // root, and somebody without the right to sudo
    const Outcome optional = install(work, "libdnnl-dev", user);
    INFO(optional.err);
    CHECK(optional.status == 0);
    CHECK(optional.out ==
          "Installing libdnnl-dev\n"
          "Going on without libdnnl-dev: float32 products will be slower.\nwent on\n");
    const Outcome required = install(work, "libfmt-dev", user);
    CHECK(required.status == 1);
    CHECK(required.out.find("went on") == std::string::npos);
    CHECK(required.err.find("apt-get update failed\n") != std::string::npos);
  }
}

TEST_CASE("a build shows each line when it is written") {
  const Workplace work;
  work.write("compiles",
             "#!/bin/sh\necho '[ 50%] Building'\necho '[ 50%] Built target x'\n"
             "for i in $(seq 100); do\n"
             "  if [ -e seen ]; then echo '[100%] Linking'; exit; fi\n"
             "  sleep 0.1\ndone\necho 'nobody saw it'\n");
  std::filesystem::permissions(work.path("compiles"), std::filesystem::perms::owner_all);
  const std::string script = R"(
    set -euo pipefail
    . "$0"
    cmake=./compiles
    build release | while read -r line; do
      echo "$line"
      touch seen
    done)";
  const Outcome shown = work.finish(
      work.start_program("bash", {"-c", script, HINDSIGHT_SOURCE_DIR "/tasks/setup.sh"}));
  INFO(shown.err);
  CHECK(shown.out == "[ 50%] Building\n[100%] Linking\n");
}

}  // namespace
}  // namespace hindsight::test
