# Shared by scripts/run, scripts/test and scripts/bench; to be sourced.

# Says what happened and what to do, and ends.
die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

say() {
    echo "== $*"
}

# The commands of the person who owns the clone: as root everything is built
# and run as that owner, so that a clone stays its owner's.
owner=$(stat -c %U "$root")
as=(env)
if [ "$(id -u)" = 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
    as=(setpriv --reuid="$owner" --regid="$(stat -c %g "$root")" --init-groups
        env HOME="$(getent passwd "$owner" | cut -d: -f6)")
fi
as_owner() {
    "${as[@]}" "$@"
}

# install_packages KIND...: whatever of scripts/packages is missing; for web
# and test also npm.
install_packages() {
    local missing=() kind name wanted=" $* "
    while read -r kind name; do
        case "$kind" in ''|'#'*) continue ;; esac
        [[ $wanted == *" $kind "* ]] || continue
        dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null |
            grep -qx installed || missing+=("$name")
    done < "$root/scripts/packages"
    # Any node from 18 on will do, also one that no package brought.
    node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' \
        2>/dev/null || missing+=(nodejs)
    # Debian's node comes without npm, others bring it.
    [[ $wanted != *" test "* && $wanted != *" web "* ]] ||
        command -v npm > /dev/null || missing+=(npm)
    [ ${#missing[@]} -gt 0 ] || return 0

    command -v apt-get > /dev/null ||
        die "needs the packages ${missing[*]}, and there is no apt-get" \
            "(Debian 12 is what wacrm is built for)"
    local sudo=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo > /dev/null ||
            die "needs root to install ${missing[*]}: run as root once, or" \
                "install them yourself"
        sudo=(sudo)
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    # The nginx package would start a server of its own on port 80.
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy > /dev/null
        "${sudo[@]}" chmod 755 $policy
        made=1
    fi
    local log rc=0
    log=$(mktemp)
    { "${sudo[@]}" apt-get -q update &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get -q install -y --no-install-recommends "${missing[@]}"
    } > "$log" 2>&1 < /dev/null || rc=$?
    [ -z "$made" ] || "${sudo[@]}" rm -f $policy
    if [ $rc != 0 ]; then
        tail -5 "$log" >&2
        die "apt-get could not install the packages (whole output: $log)"
    fi
    rm -f "$log"
}

# install_node_packages DIR: what DIR/package-lock.json names goes into
# DIR/node_modules, and again only when that file has changed.
install_node_packages() {
    local dir=$root/$1 log=$root/build/npm-${1//\//-}.log
    local stamp=$dir/node_modules/.installed
    cmp -s "$dir/package-lock.json" "$stamp" && return 0
    command -v npm > /dev/null ||
        die "needs npm, and there is none: install it (Debian: apt-get" \
            "install npm)"
    as_owner mkdir -p "$root/build" && as_owner touch "$log" ||
        die "cannot write into $root/build"
    say "installing the npm packages of $1"
    # A cache of its own: the owner of the clone may have no home.
    as_owner env npm_config_cache="$root/build/npm-cache" \
        npm ci --prefix "$dir" --include=dev --ignore-scripts \
        > "$log" 2>&1 < /dev/null || {
        tail -5 "$log" >&2
        die "npm could not install the packages of $1; it needs the" \
            "registry, or a mirror named in its settings (whole output:" \
            "$log)"
    }
    as_owner cp "$dir/package-lock.json" "$stamp"
}

# build TARGET... [VARIABLE=value]: make, quiet unless it fails.
build() {
    local log=$root/build/make.log
    as_owner mkdir -p "$root/build" ||
        die "cannot write into $root/build"
    as_owner touch "$log" || die "cannot write $log"
    as_owner make -C "$root" -j"$(nproc)" "$@" > "$log" 2>&1 || {
        grep -E 'error|Error|\*\*\*' "$log" | head -20 >&2
        die "the build failed (whole output: $log)"
    }
}

port_in_use() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

check_port() {
    [[ $2 =~ ^[0-9]+$ ]] && [ "$2" -ge 1 ] && [ "$2" -le 65535 ] ||
        die "$1=$2 is no port: give a number from 1 to 65535"
    ! port_in_use "$2" ||
        die "port $2 is in use: stop what listens there, or choose another" \
            "one with $1"
}
