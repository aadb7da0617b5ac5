//! Quantization: scales, dequantization, and packing of bytes.

use super::precision::in_f32;
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::Tensor,
    ops::contract::{Bound, Domain, Function, Sample},
    shape::Meta,
};

/// The largest magnitude of a byte: symmetric around 0.
const MAX_BYTE: f64 = 127.0;

impl<'g> Tensor<'g> {
    /// The scale that maps the largest magnitude along axes to 127, with these axes kept with
    /// extent 1; 1 if all elements are 0.
    #[track_caller]
    pub fn quantization_scale(self, axes: impl crate::Axes) -> Tensor<'g> {
        let most =
            in_f32("quantization_scale", [self], |[x]| x.abs().amax_keepdims(axes) / MAX_BYTE);
        // Also where the quotient is too small for a half.
        most.equal(0.0).select(1.0, most)
    }

    /// Dequantizes integers that are multiples of a scale: `x scale`. The scale is broadcast: one
    /// in total, or one per channel.
    ///
    /// # Gradient
    ///
    /// W.r.t. the scale; none w.r.t. the integers.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] unless i32 and floats; [`OpError::Broadcast`].
    #[doc(alias = "DequantizeLinear")]
    #[track_caller]
    pub fn dequantize(self, scale: Tensor<'g>) -> Tensor<'g> {
        if !self.failed() && self.dtype() != DType::I32 {
            let reason = OpError::DType(self.dtype());
            return self.graph().refuse("dequantize", &[self, scale], reason);
        }
        let scale = scale.of_floats("dequantize");
        in_f32("dequantize", [scale, self], |[scale, x]| x.cast(DType::F32) * scale)
    }

    /// Packs integers from -128 to 127 as bytes, four per word along the last axis, the first in
    /// the lowest bits; the axis is padded with zeros. Larger numbers keep their lowest eight bits.
    ///
    /// # Shapes
    ///
    /// `[.., k]` in i32 to `[.., ceil(k / 4)]` in u32.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] unless i32; [`OpError::Rank`].
    #[track_caller]
    pub fn pack_i8(self) -> Tensor<'g> {
        if !self.failed() && self.dtype() != DType::I32 {
            let reason = OpError::DType(self.dtype());
            return self.graph().refuse("pack_i8", &[self], reason);
        }
        let shape = self.shape();
        let Some((&k, outer)) = shape.dims().split_last() else {
            return self.graph().refuse("pack_i8", &[self], OpError::Rank { least: 1 });
        };
        let mut pads = vec![(0, 0); shape.rank()];
        pads[outer.len()] = (0, k.next_multiple_of(4) - k);
        let words = k.div_ceil(4);
        let padded = self.pad(&pads, 0.0);
        // A conversion would turn negative numbers into 0.
        let bytes = padded.and(padded.full_like(255.0)).cast(DType::U32);
        let bytes = bytes.reshape([outer, &[words, 4]].concat());
        let mut word: Option<Tensor> = None;
        for place in 0..4 {
            let own = bytes.slice(-1, place..place + 1).squeeze(-1) << (8 * place as u32);
            word = Some(word.map_or(own, |word| word.or(own)));
        }
        word.unwrap_or(self)
    }

    /// Unpacks the bytes packed by [`pack_i8`](Tensor::pack_i8).
    ///
    /// # Shapes
    ///
    /// `[.., words]` in u32 to `[.., k]` in i32.
    ///
    /// # Errors
    ///
    /// [`OpError::DType`] unless u32; [`OpError::Rank`]; [`OpError::Extents`] unless `k` bytes take
    /// that many words.
    #[track_caller]
    pub fn unpack_i8(self, k: usize) -> Tensor<'g> {
        if !self.failed() && self.dtype() != DType::U32 {
            let reason = OpError::DType(self.dtype());
            return self.graph().refuse("unpack_i8", &[self], reason);
        }
        let shape = self.shape();
        let Some((&words, outer)) = shape.dims().split_last() else {
            return self.graph().refuse("unpack_i8", &[self], OpError::Rank { least: 1 });
        };
        if k.div_ceil(4) != words {
            let reason = OpError::Extents { what: "words", lhs: words, rhs: k.div_ceil(4) };
            return self.graph().refuse("unpack_i8", &[self], reason);
        }
        let mut bytes = Vec::with_capacity(4);
        for place in 0..4u32 {
            let byte = (self >> (8 * place)).and(self.full_like(255.0)).cast(DType::I32);
            // The highest bit stands for -128.
            bytes.push(byte.xor(byte.full_like(128.0)) - 128);
        }
        let all = self.graph().stack(&bytes, -1).reshape([outer, &[4 * words]].concat());
        all.slice(-1, ..k)
    }
}

/// Samples, defined by the formulas.
pub(super) fn samples() -> Vec<Sample> {
    let dequantize = Function::new(
        "dequantize",
        |x| x[0].dequantize(x[1]),
        |x| {
            Array64::from_fn(Meta::new([4, 3, 5], x[1].meta.dtype), |c| {
                // One scale for all, or one per channel of an axis that is not the last.
                let channel = if x[1].data.len() == 1 { 0 } else { c[1] };
                x[0].at(&c) * x[1].data[channel]
            })
        },
    );
    // One scale per channel of the middle axis.
    let by_channel = Function::new(
        "dequantize",
        |x| {
            let scale = x[0].quantization_scale([0, 2]);
            x[0].quantize(scale).dequantize(scale)
        },
        |x| {
            Array64::from_fn(Meta::new([4, 3, 5], x[0].meta.dtype), |c| {
                let channel = (0..20).map(|k| x[0].at(&[k / 5, c[1], k % 5]).abs());
                let scale = channel.fold(0.0, f64::max) / 127.0;
                (x[0].at(&c) / scale).round_ties_even() * scale
            })
        },
    )
    .with("[quantized along an axis]");
    let scale = Function::new(
        "quantization_scale",
        |x| x[0].quantization_scale(1),
        |x| {
            Array64::from_fn(Meta::new([3, 1], x[0].meta.dtype), |c| {
                (0..5).map(|k| x[0].at(&[c[0], k]).abs()).fold(0.0, f64::max) / 127.0
            })
        },
    );
    let pack = Function::new(
        "pack_i8",
        |x| x[0].pack_i8(),
        |x| {
            Array64::from_fn(Meta::new([3, 2], DType::U32), |c| {
                let byte = |k: usize| match 4 * c[1] + k {
                    k if k < 6 => x[0].at(&[c[0], k]) as i64 as u8,
                    _ => 0,
                };
                f64::from(u32::from_le_bytes([0, 1, 2, 3].map(byte)))
            })
        },
    );
    let unpack = Function::new("unpack_i8", |x| x[0].pack_i8().unpack_i8(6), |x| x[0].clone());
    let integers = Domain::Values(&[-127.0, 127.0, 0.0, -1.0, 1.0, 100.0, -100.0]);
    let of = |dims: &[usize], dtype| Meta::new(dims, dtype);
    vec![
        Sample::new(dequantize.clone(), [of(&[4, 3, 5], DType::I32), of(&[1], DType::F32)])
            .bound(Bound::Ulp(1), "a product"),
        Sample::new(dequantize, [of(&[4, 3, 5], DType::I32), of(&[3, 1], DType::F32)])
            .bound(Bound::Ulp(1), "a product")
            .named("by channel"),
        // A scale of halves is rounded, so numbers are near other integers.
        Sample::new(by_channel, [of(&[4, 3, 5], DType::F32)])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(6), "the scale is a quotient; no number is near a middle")
            .without_gradient()
            .named("a scale of its own"),
        Sample::new(scale, [of(&[3, 5], DType::F32)])
            .operand(0, Domain::Distinct)
            .bound(Bound::Ulp(4), "a quotient"),
        Sample::new(pack, [of(&[3, 6], DType::I32)])
            .operand(0, integers.clone())
            .bound(Bound::Exact, "integers")
            .without_gradient(),
        Sample::new(unpack, [of(&[3, 6], DType::I32)])
            .operand(0, integers)
            .bound(Bound::Exact, "integers")
            .without_gradient(),
    ]
}
