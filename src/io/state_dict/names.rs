//! Names of parameters in PyTorch.

/// PyTorch's name for a path below a prefix; a name of PyTorch is its own.
pub(super) fn torch_name(path: &str) -> String {
    let position = |part: &str| match part.split_once(':') {
        Some((number, _)) if number.bytes().all(|byte| byte.is_ascii_digit()) => number.to_owned(),
        _ => part.to_owned(),
    };
    path.split('/').map(position).collect::<Vec<_>>().join(".")
}
