# Where the Debian of setup.sh is, and the program that compiles in it. Sourced by the scripts beside it.
KERNELS="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
KERNELS_DIR="$(realpath -m "${WGRAD_KERNELS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/wgrad-kernels}")"
KERNELS_SID="$KERNELS_DIR/sid"
KERNELS_CUDA="$KERNELS_DIR/cuda/nvidia/cu13"

# The version is written last, when all else is there.
has_sid() { [[ -s "$KERNELS_DIR/mesa-version" ]]; }

mesa_version() { cat "$KERNELS_DIR/mesa-version"; }

# In the folder of the example crate, which builds wgrad with the same profile and features.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$KERNELS/../../target/custom_op}"
kernels() { cargo run --quiet --locked --manifest-path "$KERNELS/Cargo.toml" -- "$@"; }
