# Sourced by the other scripts with the root of the tree as working directory.
#
# What a tool would write to HOME or to the system's temporary directory goes to .cache instead, so that a checkout
# leaves nothing behind when it is deleted. Tools that keep their cache in the working directory (ruff, pytest,
# hypothesis, import-linter) need no word here.

cache=$(pwd -P)/.cache
mkdir -p "$cache/tmp"

export TMPDIR="$cache/tmp"
export XDG_CACHE_HOME="$cache/xdg"
export PIP_CACHE_DIR="$cache/pip"
export PIP_DISABLE_PIP_VERSION_CHECK=1
if [ ! -d "${HOME:-/}/.rustup" ]; then # pip asks for rustc's version, and a rustup without a home makes one
    export RUSTUP_HOME="${RUSTUP_HOME:-$cache/rustup}"
fi

export GOTOOLCHAIN=local
export GOPATH="$cache/go"
export GOMODCACHE="$cache/go/mod"
export GOCACHE="$cache/go/build"
export GOFLAGS="${GOFLAGS:+$GOFLAGS }-modcacherw" # without it the module cache cannot be deleted
