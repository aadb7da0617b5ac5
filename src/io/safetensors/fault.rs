//! Error texts for malformed safetensors files.

use crate::{io::kind::kind, shape::Shape};
use safetensors::Dtype;
use serde_json::Value;
use std::fmt::Display;

/// A longer header is not looked into.
const HEADER: usize = 4 << 20;

/// The error text for a file that could not be parsed; `found` is the parser's own.
pub(super) fn fault(content: &[u8], found: impl Display) -> String {
    let all = content.len();
    if all == 0 {
        return "an empty file, where a safetensors file is expected".to_owned();
    }
    if let Some(kind) = kind(content) {
        let advice = if kind.contains("torch.save") {
            ": safetensors.torch.save_file(model.state_dict(), path) writes one"
        } else {
            ""
        };
        return format!("no safetensors file: it is {kind}{advice}");
    }
    let Some((len, rest)) = content.split_first_chunk() else {
        let begins = "a safetensors file begins with 8 for the length of its header";
        return format!("cut off: {all} bytes, and {begins}");
    };
    let len = u64::from_le_bytes(*len);
    let is_header = matches!(rest, [] | [b'{', ..]);
    let unknown = || "no safetensors file: it is of a kind that is not known here".to_owned();
    let Some(header) = usize::try_from(len).ok().and_then(|len| rest.get(..len)) else {
        let end = u128::from(len) + 8;
        return match is_header {
            true => format!("cut off: {all} bytes, and its header alone ends at byte {end}"),
            false => unknown(),
        };
    };
    if header.len() > HEADER {
        return format!("damaged: {found}");
    }
    let tensors = match serde_json::from_slice(header) {
        Ok(Value::Object(tensors)) => tensors,
        Ok(_) => return "damaged: its header is no list of tensors".to_owned(),
        Err(_) if !is_header => return unknown(),
        Err(error) => return format!("damaged: its header is no JSON ({error})"),
    };
    match data(&tensors) {
        Err(what) => format!("damaged: {what}"),
        Ok(end) => {
            let said = u128::from(len) + 8 + u128::from(end);
            let kind = if said > all as u128 { "cut off" } else { "damaged" };
            match said == all as u128 {
                true => format!("damaged: {found}"),
                false => format!("{kind}: {all} bytes, and its header says {said}"),
            }
        }
    }
}

/// The number of bytes of all tensors, or what is wrong with one of them.
fn data(tensors: &serde_json::Map<String, Value>) -> Result<u64, String> {
    let mut places = Vec::new();
    for (name, entry) in tensors {
        if name == "__metadata__" {
            let texts = entry.as_object().filter(|all| all.values().all(Value::is_string));
            texts.ok_or("__metadata__ holds more than texts")?;
            continue;
        }
        let no = |what: &str| format!("tensor {name} has no {what}");
        let dtype = entry.get("dtype").and_then(Value::as_str).ok_or_else(|| no("type"))?;
        let size = serde_json::from_value(Value::from(dtype)).map(|dtype: Dtype| dtype.bitsize());
        let size = size.map_err(|_| format!("tensor {name} is of the unknown type {dtype:?}"))?;
        let shape = numbers(entry, "shape").ok_or_else(|| no("shape"))?;
        let offsets = numbers(entry, "data_offsets");
        let Some(&[first, end]) = offsets.as_deref() else {
            return Err(no("place in the data"));
        };
        places.push((first, end, name, dtype, size, shape));
    }
    places.sort_by_key(|&(first, end, ..)| (first, end));
    let mut before = 0;
    for (first, end, name, dtype, size, shape) in places {
        let Some(has) = end.checked_sub(first) else {
            return Err(format!(
                "tensor {name} ends at byte {end} of the data, and begins at byte {first}"
            ));
        };
        if first != before {
            return Err(format!(
                "tensor {name} begins at byte {first} of the data, and what comes before it ends \
                 at byte {before}"
            ));
        }
        let bits = shape.iter().try_fold(size as u64, |bits, &extent| bits.checked_mul(extent));
        if bits != has.checked_mul(8) {
            let takes = match bits {
                Some(bits) if bits % 8 == 0 => format!("{} bytes", bits / 8),
                Some(bits) => format!("{bits} bits"),
                None => "more bytes than there are".to_owned(),
            };
            let shape = Shape::from(shape.iter().map(|&n| n as usize).collect::<Vec<_>>());
            return Err(format!("tensor {name}, {shape} in {dtype}, takes {takes}, and has {has}"));
        }
        before = end;
    }
    Ok(before)
}

/// A list of numbers that are not negative.
fn numbers(entry: &Value, key: &str) -> Option<Vec<u64>> {
    entry.get(key)?.as_array()?.iter().map(Value::as_u64).collect()
}
