#!/usr/bin/env bash
# A few minutes on a GPU that is not always there: what changes designs comes first.
#
#   benches/gpu-day.sh OUT [SECONDS] [first|verify]
#
# WGRAD is the program (default: target/release/wgrad), PEER a command that prints the same rows of
# another engine, or nothing. Each step has a bound of its own, as a share of SECONDS (default: 330), and
# what it has printed stays in OUT when it, or all of it, is cut off. `verify` is the second run: every
# sample of every operation, in as many processes as there are cores.
set -u
out="$1"
total="${2:-330}"
list="${3:-first}"
wgrad="${WGRAD:-target/release/wgrad}"
begin="$(date +%s)"
mkdir -p "$out"
# Proofs and tuning of this day alone: what is cold is measured cold.
export WGRAD_CACHE_DIR="${WGRAD_CACHE_DIR:-$out/cache}"

left() { echo $((total - ($(date +%s) - begin))); }
share() { echo $((total * $1 / 100)); }

# step NAME PERCENT COMMAND...: at most this share of the time, and never past the end.
step() {
    local name="$1" most rest started code
    most="$(share "$2")"
    rest="$(left)"
    shift 2
    if ((rest < 2)); then
        echo "$name: no time left"
        return
    fi
    ((rest < most)) && most="$rest"
    ((most < 2)) && most=2
    started="$(date +%s)"
    timeout -k 2 "$most" "$@" >"$out/$name.out" 2>"$out/$name.err"
    code=$?
    echo "$name: exit $code after $(($(date +%s) - started)) s; $(tail -n 1 "$out/$name.out" | cut -c1-160)"
}

# Each operation in a process of its own: one that hangs costs its own share only.
verify_all() {
    "$wgrad" verify --list |
        xargs -P "$(nproc)" -I{} "$wgrad" verify --device gpu --full --json --ops {}
}

step devices 5 "$wgrad" devices --json
if [[ "$list" == verify ]]; then
    export wgrad
    export -f verify_all
    step verify 95 bash -c verify_all
else
    step train 9 "$wgrad" train digits --device gpu --epochs 3 --seed 0 --json --out "$out/digits"
    step products 12 "$wgrad" sweep --device gpu --json --families matmul,matmul_i8 --budget "$(share 10)"
    step convolutions 14 "$wgrad" sweep --device gpu --json --families convolution --budget "$(share 12)"
    step rows 11 "$wgrad" sweep --device gpu --json --budget "$(share 9)" \
        --families softmax,cross_entropy,layer_norm,sum,max_pool,attention
    step bench 25 "$wgrad" bench --quick --device gpu --json-lines
    step split 6 "$wgrad" bench --quick --device gpu --json-lines --filter matmul,conv --precision split
    if [[ -n "${PEER:-}" ]]; then
        step peer 18 bash -c "$PEER"
    fi
    step verify 18 "$wgrad" verify --device gpu --json \
        --ops matmul,matmul_units,matmul_split,convolution,convolution_split,softmax,attention,max_pool
fi
echo "$(left) s left of $total"
