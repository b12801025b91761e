# Sourced by tasks/quickstart and tests/run: installs packages, configures and builds.

readonly required_packages=(libxtensor-dev libxtensor-blas-dev libxsimd-dev libopenblas-dev libfmt-dev
  doctest-dev libcli11-dev nlohmann-json3-dev)
readonly optional_packages=(libdnnl-dev)  # faster float32 products
readonly least_cmake=3.25

say() { printf '%s\n' "$*"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# The first CMake that is new enough: the system's own, else the one on PATH.
find_cmake() {
  local candidate version
  for candidate in /usr/bin/cmake cmake; do
    command -v "$candidate" >/dev/null || continue
    version=$("$candidate" --version 2>/dev/null | awk 'NR == 1 {print $3}')
    if [ "$(printf '%s\n' "$least_cmake" "$version" | sort -V | head -n 1)" = "$least_cmake" ]; then
      printf '%s' "$candidate"
      return
    fi
  done
  return 1
}

needed_packages() {
  find_cmake >/dev/null || printf 'cmake\n'
  command -v "${CXX:-c++}" >/dev/null || printf 'g++\n'
  command -v make >/dev/null || printf 'make\n'
  printf '%s\n' "${required_packages[@]}"
}

# Those of the given packages that are not installed.
not_installed() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" {print $1}') || true
  printf '%s\n' "$@" | grep -vxF -e "${installed:-none}" || true
}

# Runs a command silently; if it fails, shows the end of its output.
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" </dev/null >"$log" 2>&1 || status=$?
  [ "$status" = 0 ] || tail -n 40 "$log" >&2
  rm -f "$log"
  return "$status"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"  # install_packages has asked for the password if there is a terminal
  fi
}

# Called when packages cannot be installed: fails if a required one is missing, else goes on.
go_on_without() {  # SENTENCE
  [ ${#missing[@]} = 0 ] || fail "$1"
  say "Going on without ${optional[*]}: float32 products will be slower."
}

install_packages() {
  local packages missing optional
  [ -z "${HINDSIGHT_SKIP_INSTALL:-}" ] || return 0
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "There is no apt-get here. Hindsight needs a C++17 compiler, CMake $least_cmake or newer, make, and what these Debian packages hold:" >&2
    say "  ${required_packages[*]} (for speed also ${optional_packages[*]})" >&2
    fail "install these, then run: HINDSIGHT_SKIP_INSTALL=1 $0"
  fi
  mapfile -t packages < <(needed_packages)
  mapfile -t missing < <(not_installed "${packages[@]}")
  mapfile -t optional < <(not_installed "${optional_packages[@]}")
  if [ ${#missing[@]} = 0 ]; then
    if [ ${#optional[@]} = 0 ] || ! apt-cache show "${optional[@]}" >/dev/null 2>&1; then return 0; fi
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    [ ${#missing[@]} != 0 ] || return 0
    fail "not root and no sudo here; as root run: apt-get install ${missing[*]} ${optional[*]}"
  fi

  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
  say "Installing ${missing[*]}${missing:+ }${optional[*]}"
  if [ "$(id -u)" != 0 ] && [ -t 0 ] && ! sudo -v; then
    go_on_without "sudo is needed to install these packages"
    return
  fi
  if ! quietly as_root "${apt[@]}" update; then
    go_on_without "apt-get update failed"
    return
  fi
  if [ ${#missing[@]} != 0 ]; then
    quietly as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
      fail "apt-get could not install ${missing[*]}"
  fi
  if [ ${#optional[@]} != 0 ]; then
    quietly as_root "${apt[@]}" install --no-install-recommends "${optional[@]}" ||
      say "Going on without ${optional[*]}: float32 products will be slower."
  fi
}

build_folder() {  # PRESET: its folder in CMakePresets.json
  case $1 in release) printf 'build' ;; *) printf 'build/%s' "$1" ;; esac
}

# One compiler for each core, or fewer if memory is short: each may take 1.5 GB.
jobs() {
  local cores room
  cores=$(nproc 2>/dev/null || echo 1)
  room=$(awk '/^MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo 2>/dev/null) || true
  room=${room:-$cores}
  if [ "$room" -lt 1 ]; then room=1; fi
  echo $((room < cores ? room : cores))
}

# configure PRESET [cmake options]: to be called in the project's root.
configure() {
  local preset=$1 fresh=() cache
  shift
  cmake=$(find_cmake) || fail "needs CMake $least_cmake or newer; this one is $(cmake --version 2>/dev/null | head -n 1)"
  cache=$(build_folder "$preset")/CMakeCache.txt
  if [ -n "${CXX:-}" ] && [ -f "$cache" ] && ! grep -q "^CMAKE_CXX_COMPILER:.*=$(command -v "$CXX")\$" "$cache"; then
    fresh=(--fresh)  # another compiler than last time
  fi
  quietly "$cmake" --preset "$preset" "${fresh[@]}" "$@" || fail "the configuration above failed"
}

# build PRESET [target]: hides lines about what is up to date. Not with awk, as mawk buffers its input.
build() {
  local folder target=(${2:+--target "$2"})
  folder=$(build_folder "$1")
  "$cmake" --build "$folder" --parallel "$(jobs)" "${target[@]}" </dev/null |
    sed -u -E '/Built target|Consolidate compiler|no work to do/d' || fail "the build failed"
}
