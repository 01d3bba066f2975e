# Sourced by scripts/start, scripts/test and scripts/fixring: `set_up run` or `set_up test` leaves a working .venv in $root.
# Fast when nothing changed: a stamp holds the checksums of what was installed from.

SAY_EVERY_S=5

say() { printf '%s\n' "$*" >&2; }
fail() { say "$1"; exit "${2:-1}"; }

# Of those that can make a virtual environment the first that was built with profile-guided optimisation, which runs 1.1 to
# 1.5 times as fast: version managers mostly build without, distributions with. Else the first of them, else any.
find_python() {
  first= any=
  for candidate in python3.11 python3.12 python3.13 python3.14 python3 /usr/bin/python3 /usr/local/bin/python3; do
    # A version manager's shim may stand in the path for a version that it does not have: run it to know.
    case $("$candidate" "$root/scripts/interpreter.py" 2>/dev/null) in
      optimised) printf '%s\n' "$candidate" && return 0 ;;
      plain) first=${first:-$candidate} ;;
      bare) any=${any:-$candidate} ;;
    esac
  done
  first=${first:-$any}
  [ -n "$first" ] && printf '%s\n' "$first"
}

# What takes long says so while it lasts: a silent minute looks like a fault. `slowly WHAT COMMAND...` keeps its status.
slowly() {
  said=$1
  shift
  (
    waited=0
    # It ends with this shell, however that ends.
    while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
      waited=$((waited + 1))
      [ $((waited % SAY_EVERY_S)) -ne 0 ] || say "  still $said, $waited s ..."
    done
  ) &
  teller=$!
  status=0
  "$@" || status=$?
  kill "$teller" 2>/dev/null || :
  wait "$teller" 2>/dev/null || :
  return "$status"
}

make_venv() {
  if python=$(find_python); then
    if "$python" -m venv --clear "$root/.venv" 2>/dev/null; then return 0; fi
    command -v uv >/dev/null 2>&1 ||
      fail "$python cannot make a virtual environment: install its venv package (Debian: python3-venv), or uv." 3
    uv venv --quiet --clear --python "$python" "$root/.venv"
  else
    command -v uv >/dev/null 2>&1 || fail "fixring needs Python 3.11 or newer, or uv, which brings one." 3
    uv venv --quiet --clear --python 3.11 "$root/.venv"
  fi
}

# Two steps, because pip refuses an editable install under --require-hashes, and build isolation would fetch unhashed tools.
install_from() {
  if command -v uv >/dev/null 2>&1; then
    # A desk's network may have a certificate authority of its own, which the system knows and uv by itself does not.
    UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1 steps uv pip install --quiet --python "$root/.venv/bin/python" && return 0
    "$root/.venv/bin/python" -m pip --version >/dev/null 2>&1 || return 1
    say "uv could not; trying pip"
  fi
  steps "$root/.venv/bin/python" -m pip install --quiet --disable-pip-version-check
}

steps() {
  "$@" --require-hashes -r "$lock" && "$@" --no-deps --no-build-isolation -e "$root"
}

# The folder is part of it: an editable install and the scripts in .venv/bin name it.
stamp_of() {
  { printf '%s\n' "$root"; cat "$root/pyproject.toml" "$1"; } | cksum
}

installed() {
  [ -x "$root/.venv/bin/python" ] && [ -f "$root/.venv/.fixring-$1" ] &&
    [ "$(cat "$root/.venv/.fixring-$1")" = "$(stamp_of "$2")" ]
}

set_up() {
  # These would shadow the project's packages, or pip's choice of where to install.
  unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_USER PIP_PREFIX
  run_lock="$root/requirements.lock"
  test_lock="$root/requirements-test.lock"
  # What tests need includes what running needs.
  installed test "$test_lock" && return 0
  [ "$1" = run ] && installed run "$run_lock" && return 0
  what=run
  lock="$run_lock"
  # A developer's environment stays one when scripts/start renews it.
  if [ "$1" = test ] || [ -f "$root/.venv/.fixring-test" ]; then
    what=test
    lock="$test_lock"
  fi

  # One set-up at a time: start and test may be called together in a fresh clone.
  if [ -z "${FIXRING_SET_UP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    flock -n "$root/pyproject.toml" true || say "another set-up of $root is running: waiting for it ..."
    FIXRING_SET_UP_LOCKED=1 flock "$root/pyproject.toml" sh -c 'root="$1"; . "$root/scripts/set_up.sh"; set_up "$2"' set_up "$root" "$1" ||
      exit $?
    return 0
  fi
  say "setting up $root/.venv (once; later starts skip this) ..."
  rm -f "$root/.venv/.fixring-run" "$root/.venv/.fixring-test"
  if ! "$root/.venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    slowly "making the virtual environment" make_venv || fail "the virtual environment could not be made in $root/.venv" 3
  fi
  say "installing the packages of ${lock##*/} ..."
  slowly "installing" install_from || fail "the packages of $lock could not be installed; the lines above say why" 3
  stamp_of "$lock" >"$root/.venv/.fixring-$what"
}
