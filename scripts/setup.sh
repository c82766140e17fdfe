#!/bin/sh
# Makes everything that `make demo` and `make test` need: Python's packages in .venv, and Mosquitto.
# Rule: what is there already is not touched and not mentioned; what is run is said first.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
cd -- "$root"
venv=.venv
stamp=$venv/.orion-setup
sbin=/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/opt/homebrew/opt/mosquitto/sbin:/usr/local/opt/mosquitto/sbin

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
run() { say "running: $*"; "$@"; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    run "$@"
  elif has sudo; then
    run sudo "$@"
  else
    fail "this needs root: $*"
  fi
}

# --- Which system packages are missing --------------------------------------------------------

mosquitto_version() {
  found=$(PATH="$PATH:$sbin" command -v mosquitto) || return 1
  "$found" -h 2>/dev/null | sed -n 's/^mosquitto version \([0-9.]*\).*/\1/p'
}

install_mosquitto() {
  if has apt-get; then
    say 'Mosquitto 2 is missing.'
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends mosquitto mosquitto-clients
    say 'The package also starts a broker of its own on port 1883, which Orion does not use.'
    say 'To let `orion up` have that port: sudo systemctl disable --now mosquitto (or set ORION_MQTT_PORT).'
  elif has dnf; then
    say 'Mosquitto 2 is missing.'
    as_root dnf install -y mosquitto
  elif has pacman; then
    say 'Mosquitto 2 is missing.'
    as_root pacman -S --needed --noconfirm mosquitto
  elif has brew; then
    say 'Mosquitto 2 is missing.'
    run brew install mosquitto
  else
    fail 'Mosquitto 2 is missing and no package manager is known here: see https://mosquitto.org/download'
  fi
}

ensure_mosquitto() {
  version=$(mosquitto_version) || { install_mosquitto; version=$(mosquitto_version) || version=; }
  case $version in
    2.*) ;;
    '') fail 'Mosquitto was installed but cannot be found or started.' ;;
    *) fail "Mosquitto $version is too old: version 2 is needed, see https://mosquitto.org/download" ;;
  esac
}

# --- Python and its packages --------------------------------------------------------------------

is_new_enough() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  for name in python3.13 python3.12 python3.11 python3.14 python3 python; do
    if has "$name" && is_new_enough "$name"; then
      command -v "$name"
      return
    fi
  done
  return 1
}

python_remedy() {
  if has apt-get; then echo 'sudo apt-get install python3 python3-venv'
  elif has dnf; then echo 'sudo dnf install python3.12'
  elif has pacman; then echo 'sudo pacman -S python'
  elif has brew; then echo 'brew install python@3.12'
  else echo 'see https://www.python.org/downloads/'
  fi
}

make_venv() {
  python=$(find_python) || python=
  if has uv; then
    run uv venv --quiet --clear ${python:+--python "$python"} "$venv"
    return
  fi
  [ -n "$python" ] || fail "Python 3.11 or newer is needed: $(python_remedy)"
  if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    has apt-get || fail "$python cannot make virtual environments (the modules venv and ensurepip are missing)."
    say "$python cannot make virtual environments yet."
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
      "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
  fi
  run "$python" -m venv --clear "$venv"
}

install_packages() {
  # the lock names everything, so nothing is left to resolve: some releases of pip do it all the same and
  # then refuse, when a newer release than the lock's can be had
  if has uv; then
    run uv pip install --quiet --compile-bytecode --python "$venv/bin/python" --require-hashes -r requirements.lock
    run uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
    return
  fi
  "$venv/bin/python" -m pip --version >/dev/null 2>&1 || run "$venv/bin/python" -m ensurepip
  run "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
  run "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
}

wanted() {
  # the place counts as well: an environment that was moved does not work
  printf '%s\n' "$root"
  cksum requirements.lock pyproject.toml
}

ensure_packages() {
  want=$(wanted)
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && "$venv/bin/python" -c '' 2>/dev/null; then
    return
  fi
  rm -f "$stamp"
  is_new_enough "$venv/bin/python" || make_venv
  install_packages
  # a start would compile these by itself, and where Python may not keep the result, at every start
  "$venv/bin/python" -m compileall -q schemas broker controller device_node orion
  # last: after an interrupted installation it is missing, and the next run does it again
  printf '%s\n' "$want" >"$stamp"
  say 'Python packages are in place.'
}

ensure_packages
ensure_mosquitto
