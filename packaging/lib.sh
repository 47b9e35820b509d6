# What the scripts of this folder share: read with `.`, after `program` was set to the name that messages begin with.
# shellcheck shell=sh disable=SC2154

# The machines that static builds are made for.
# shellcheck disable=SC2034 # for those who read this file
architectures="x86_64 aarch64 armv7 mipsel"

has() {
    command -v "$1" >/dev/null 2>&1
}

fail() {
    echo "$program: $1" >&2
    exit 1
}

# Debian packages can be installed here.
may_install() {
    has apt-get && [ "$(id -u)" = 0 ]
}

apt_updated=false
# Installs Debian packages where that can be done. What comes of it, the caller looks at.
install_packages() {
    may_install || return 0
    if ! $apt_updated; then
        # An index that cannot be had, as happens for other machines' security updates, does no harm.
        apt-get update -qq >/dev/null 2>&1 || true
        apt_updated=true
    fi
    echo "$program: installing $*" >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 || true
}

# need COMMAND PACKAGE...: the command, installed with these Debian packages if it is missing.
need() {
    needed=$1
    shift
    has "$needed" || install_packages "$@"
    has "$needed" || fail "$needed is missing (Debian: apt-get install $*)"
}

# The version in Cargo.toml.
package_version() {
    sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1
}

# What Debian, and the archives of the official server, call a machine.
debian_name() {
    case $1 in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    armv7) echo armhf ;;
    mipsel) echo mipsel ;;
    *) fail "$1: expected one of $architectures" ;;
    esac
}

# The time that packages bear: of the last commit, so that they can be made again.
source_time() {
    echo "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
}

# Writes SHA256SUMS for the packages in a folder.
write_sums() (
    cd "$1" || exit 1
    find . -maxdepth 1 -type f -name 'midge*' | sed 's|^\./||' | sort | xargs sha256sum >SHA256SUMS
)
