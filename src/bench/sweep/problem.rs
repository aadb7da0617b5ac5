//! A problem: a family of kernels at a shape, written as a line of text.

use crate::{
    autodiff,
    dtype::DType,
    functions::{AttentionOptions, Reduction},
    graph::{Graph, Tensor},
    ops::{Geometry, Precision, Window},
};
use std::{fmt, str::FromStr};

/// Each family of kernels, and how a problem of it is written.
pub const FAMILIES: [(&str, &str); 9] = [
    ("matmul", "matmul MxKxN [nn|nt|tn|tt] [f16] [units|split] [batches=B]"),
    ("matmul_i8", "matmul_i8 MxKxN"),
    (
        "convolution",
        "convolution BxCxHxW OxKHxKW [stride=S] [padding=P] [groups=G] [f16] [units|split]",
    ),
    ("max_pool", "max_pool BxCxHxW KHxKW"),
    ("softmax", "softmax ROWSxCOLUMNS"),
    ("cross_entropy", "cross_entropy ROWSxCLASSES"),
    ("layer_norm", "layer_norm ROWSxCOLUMNS"),
    ("sum", "sum ROWSxCOLUMNS rows|columns"),
    ("attention", "attention BxHxTxD [causal]"),
];

/// Products of square matrices, of layers with few rows, and of long sums.
const PRODUCTS: &str = "
    matmul 256x256x256
    matmul 512x512x512
    matmul 1024x1024x1024
    matmul 2048x2048x2048
    matmul 4096x4096x4096
    matmul 1024x1024x1024 nt
    matmul 1024x1024x1024 tn
    matmul 128x784x512
    matmul 784x128x512 tn
    matmul 128x256x10
    matmul 64x9216x128
    matmul 256x4608x512
    matmul 512x256x1024
    matmul 8192x576x64
    matmul 1x4096x4096
    matmul 64x64x64 batches=64
    matmul 1024x1024x1024 f16
    matmul 1024x1024x1024 f16 units
    matmul 4096x4096x4096 f16 units
    matmul 1024x1024x1024 split
    matmul 4096x4096x4096 split
    matmul 1024x1024x1024 nt split
    matmul 1024x1024x1024 tn split
    matmul_i8 1024x1024x1024";

/// The benchmark's layer, those of a small network, those of ResNet-18 on small images, and some of them on
/// matrix units.
const CONVOLUTIONS: &str = "
    convolution 16x64x56x56 64x3x3 padding=1
    convolution 64x1x28x28 32x3x3
    convolution 64x32x26x26 64x3x3
    convolution 16x3x32x32 64x3x3 padding=1
    convolution 16x64x32x32 64x3x3 padding=1
    convolution 16x64x32x32 128x3x3 stride=2 padding=1
    convolution 16x128x16x16 128x3x3 padding=1
    convolution 16x256x8x8 256x3x3 padding=1
    convolution 16x512x4x4 512x3x3 padding=1
    convolution 16x64x32x32 128x1x1 stride=2
    convolution 16x256x16x16 64x1x1
    convolution 16x64x32x32 64x3x3 padding=1 groups=64
    convolution 16x64x56x56 64x3x3 padding=1 split
    convolution 16x64x32x32 128x3x3 stride=2 padding=1 split
    convolution 16x512x4x4 512x3x3 padding=1 split
    convolution 16x64x56x56 64x3x3 padding=1 f16 units
    convolution 16x512x4x4 512x3x3 padding=1 f16 units";

/// Softmax, losses, norms, sums, pooling and attention.
const ROWS: &str = "
    softmax 4096x1024
    softmax 128x10
    cross_entropy 128x10
    cross_entropy 512x1000
    layer_norm 4096x1024
    layer_norm 64x36864
    sum 4096x4096 rows
    sum 4096x4096 columns
    max_pool 16x64x56x56 2x2
    attention 8x4x64x64 causal
    attention 1x16x512x64 causal
    attention 1x8x2048x128";

/// A family of kernels at a shape.
///
/// It is parsed from a line: the family, shapes as extents with `x` between them, and options, as
/// [`FAMILIES`] says.
pub struct Problem {
    /// The name of its family.
    pub family: &'static str,
    text: String,
    build: Box<Build>,
}

type Build = dyn for<'g> Fn(&'g Graph) -> Vec<Tensor<'g>> + Send + Sync;

/// Why a line is not a problem.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{line:?} is no problem: {reason}")]
pub struct BadProblem {
    /// The line.
    pub line: String,
    /// The word that does not fit, and the expected form.
    pub reason: String,
}

/// The problems of these families that are swept by default; of all if none is named.
///
/// # Errors
///
/// [`BadProblem`] for a family that does not exist.
pub fn problems(families: &[String]) -> Result<Vec<Problem>, BadProblem> {
    for family in families {
        known(family).map_err(|reason| BadProblem { line: family.clone(), reason })?;
    }
    let lines = [PRODUCTS, CONVOLUTIONS, ROWS].into_iter().flat_map(str::lines).map(str::trim);
    let all = lines.filter(|line| !line.is_empty()).map(Problem::from_str);
    let is_wanted = |problem: &Problem| {
        families.is_empty() || families.iter().any(|family| family == problem.family)
    };
    let mut problems = all.collect::<Result<Vec<_>, _>>()?;
    problems.retain(is_wanted);
    Ok(problems)
}

/// The family of this name.
fn known(name: &str) -> Result<(&'static str, &'static str), String> {
    FAMILIES.into_iter().find(|(family, _)| *family == name).ok_or_else(|| {
        let names: Vec<_> = FAMILIES.iter().map(|(family, _)| *family).collect();
        format!("there is no family {name:?}, only {}", names.join(", "))
    })
}

impl Problem {
    /// The results of its program, forward and backward.
    pub(super) fn build<'g>(&self, graph: &'g Graph) -> Vec<Tensor<'g>> {
        (self.build)(graph)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Problem({})", self.text)
    }
}

impl FromStr for Problem {
    type Err = BadProblem;

    fn from_str(line: &str) -> Result<Self, BadProblem> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let parsed = match words.split_first() {
            Some((family, rest)) => {
                known(family).and_then(|(family, usage)| Ok((family, parse(family, rest, usage)?)))
            }
            None => Err("it is empty".to_owned()),
        };
        match parsed {
            Ok((family, build)) => Ok(Problem { family, text: words.join(" "), build }),
            Err(reason) => Err(BadProblem { line: line.to_owned(), reason }),
        }
    }
}

/// The words behind a family, while they are taken.
struct Words<'a> {
    left: Vec<&'a str>,
    usage: &'static str,
}

impl Words<'_> {
    /// The next word as so many extents.
    fn shape<const N: usize>(&mut self) -> Result<[usize; N], String> {
        let usage = self.usage;
        if self.left.is_empty() {
            return Err(format!("a shape is missing in {usage:?}"));
        }
        let word = self.left.remove(0);
        let extents = word.split('x').map(|extent| extent.parse().ok().filter(|&n| n > 0));
        let extents: Option<Vec<usize>> = extents.collect();
        extents
            .and_then(|extents| extents.try_into().ok())
            .ok_or_else(|| format!("{word:?} is not {N} positive extents, as in {usage:?}"))
    }

    /// Whether this word is there.
    fn has(&mut self, flag: &str) -> bool {
        let position = self.left.iter().position(|word| *word == flag);
        position.map(|position| self.left.remove(position)).is_some()
    }

    fn precision(&mut self) -> Precision {
        match (self.has("units"), self.has("split")) {
            (_, true) => Precision::Split,
            (true, _) => Precision::Units,
            _ => Precision::Full,
        }
    }

    /// The number of an option `name=number`.
    fn number(&mut self, name: &str, default: usize) -> Result<usize, String> {
        let is_it = |word: &&str| word.split_once('=').is_some_and(|(known, _)| known == name);
        let Some(position) = self.left.iter().position(is_it) else { return Ok(default) };
        let word = self.left.remove(position);
        let number = word.split_once('=').and_then(|(_, number)| number.parse().ok());
        number.ok_or_else(|| format!("{word:?} has no number"))
    }

    /// Fails if any word is left.
    fn end(self) -> Result<(), String> {
        match self.left.first() {
            Some(word) => Err(format!("{word:?} is unknown in {:?}", self.usage)),
            None => Ok(()),
        }
    }
}

fn parse(family: &str, words: &[&str], usage: &'static str) -> Result<Box<Build>, String> {
    let mut words = Words { left: words.to_vec(), usage };
    let build: Box<Build> = match family {
        "matmul" => {
            let [m, k, n] = words.shape()?;
            let transposed = ["nn", "nt", "tn", "tt"].map(|flag| words.has(flag));
            let (of_a, of_b) = (transposed[2] || transposed[3], transposed[1] || transposed[3]);
            let dtype = if words.has("f16") { DType::F16 } else { DType::F32 };
            let precision = words.precision();
            let batches = words.number("batches", 1)?;
            Box::new(move |graph| {
                graph.set_precision(precision);
                let matrix = |name, rows: usize, columns: usize, is_transposed: bool| {
                    let dims = if is_transposed { [columns, rows] } else { [rows, columns] };
                    let batch = [batches];
                    let batch = if batches == 1 { &batch[..0] } else { &batch[..] };
                    let x = graph.input(name, [batch, &dims].concat(), dtype);
                    if is_transposed { x.t() } else { x }
                };
                vec![matrix("a", m, k, of_a).matmul(matrix("b", k, n, of_b))]
            })
        }
        "matmul_i8" => {
            let [m, k, n] = words.shape()?;
            Box::new(move |graph| {
                let packed =
                    |name, rows: usize| graph.input(name, [rows, k.div_ceil(4)], DType::U32);
                vec![packed("a", m).matmul_i8(packed("b", n))]
            })
        }
        "convolution" => {
            let ([b, c, h, w], [o, kh, kw]) = (words.shape()?, words.shape()?);
            let groups = words.number("groups", 1)?;
            let (stride, padding) = (words.number("stride", 1)?, words.number("padding", 0)?);
            let dtype = if words.has("f16") { DType::F16 } else { DType::F32 };
            let precision = words.precision();
            if groups == 0 || c % groups != 0 {
                return Err(format!("{groups} groups do not divide {c} channels"));
            }
            Box::new(move |graph| {
                graph.set_precision(precision);
                let geometry =
                    Geometry::new(2).stride(stride).padding([(padding, padding); 2]).groups(groups);
                let x = graph.input("x", [b, c, h, w], dtype);
                let filters = graph.input("w", [o, c / groups, kh, kw], dtype);
                with_gradients(x.convolution(filters, geometry), &[x, filters])
            })
        }
        "max_pool" => {
            let ([b, c, h, w], window) = (words.shape()?, words.shape::<2>()?);
            Box::new(move |graph| {
                let x = graph.input("x", [b, c, h, w], DType::F32);
                with_gradients(x.max_pool(&window.map(Window::new)), &[x])
            })
        }
        "softmax" => {
            let dims: [usize; 2] = words.shape()?;
            Box::new(move |graph| {
                let x = graph.input("x", dims, DType::F32);
                with_gradients(x.softmax(-1), &[x])
            })
        }
        "layer_norm" => {
            let dims: [usize; 2] = words.shape()?;
            Box::new(move |graph| {
                let x = graph.input("x", dims, DType::F32);
                let [scale, shift] =
                    ["scale", "shift"].map(|name| graph.input(name, [dims[1]], DType::F32));
                with_gradients(x.layer_norm(scale, shift, 1e-5), &[x, scale, shift])
            })
        }
        "cross_entropy" => {
            let [rows, classes] = words.shape()?;
            Box::new(move |graph| {
                let x = graph.input("x", [rows, classes], DType::F32);
                let labels = graph.input("labels", [rows], DType::U32);
                with_gradients(x.cross_entropy(labels, -1, Reduction::None), &[x])
            })
        }
        "sum" => {
            let dims: [usize; 2] = words.shape()?;
            let axis = match (words.has("rows"), words.has("columns")) {
                (true, false) => 1,
                (false, true) => 0,
                _ => return Err(format!("either rows or columns, as in {usage:?}")),
            };
            Box::new(move |graph| vec![graph.input("x", dims, DType::F32).sum(axis)])
        }
        _ => {
            let dims: [usize; 4] = words.shape()?;
            let causal = words.has("causal");
            Box::new(move |graph| {
                let [q, k, v] = ["q", "k", "v"].map(|name| graph.input(name, dims, DType::F32));
                let options = AttentionOptions { causal, ..AttentionOptions::default() };
                with_gradients(q.attention(k, v, options), &[q, k, v])
            })
        }
    };
    words.end()?;
    Ok(build)
}

/// A result, and its derivatives for a cotangent that is an input.
fn with_gradients<'g>(y: Tensor<'g>, operands: &[Tensor<'g>]) -> Vec<Tensor<'g>> {
    let ct = y.graph().input("ct", y.shape(), y.dtype());
    let gradients = autodiff::vjp(y, ct, operands).into_iter().flatten();
    std::iter::once(y).chain(gradients).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_problem_can_be_built() {
        let all = problems(&[]).expect("they are ours");
        for (family, usage) in FAMILIES {
            assert!(all.iter().any(|problem| problem.family == family), "{family}");
            assert!(usage.starts_with(family));
        }
        for problem in &all {
            let graph = Graph::new();
            let outputs = problem.build(&graph);
            graph.check().unwrap_or_else(|error| panic!("{problem}: {error}"));
            assert!(!outputs.is_empty(), "{problem}");
        }
        let some = problems(&["sum".to_owned()]).expect("it is a family");
        assert_eq!(
            some.iter().map(|p| p.to_string()).collect::<Vec<_>>(),
            ["sum 4096x4096 rows", "sum 4096x4096 columns"]
        );
    }

    #[test]
    fn shapes_are_those_of_the_line() {
        let shapes = |line: &str| {
            let graph = Graph::new();
            let problem: Problem = line.parse().expect(line);
            let outputs = problem.build(&graph);
            outputs.iter().map(|y| y.shape().dims().to_vec()).collect::<Vec<_>>()
        };
        for transposes in ["", "nn", "nt", "tn", "tt"] {
            assert_eq!(shapes(&format!("matmul 2x3x5 {transposes} batches=7")), [[7, 2, 5]]);
        }
        assert_eq!(shapes("matmul_i8 2x8x5"), [[2, 5]]);
        let convolution = shapes("convolution 2x4x9x9 6x3x3 stride=2 padding=1 groups=2");
        assert_eq!(convolution, [[2, 6, 5, 5], [2, 4, 9, 9], [6, 2, 3, 3]]);
        assert_eq!(shapes("convolution 1x4x4x4 2x1x1 f16 units")[0], [1, 2, 4, 4]);
        assert_eq!(shapes("attention 1x2x5x4 causal"), [[1, 2, 5, 4]; 4]);
    }

    #[test]
    fn nonsense_is_refused_with_its_reason() {
        for (line, reason) in [
            ("", "it is empty"),
            ("matmull 1x2x3", "there is no family \"matmull\", only matmul, matmul_i8"),
            ("matmul", "a shape is missing in"),
            ("matmul 1x2", "\"1x2\" is not 3 positive extents"),
            ("matmul 1x0x2", "\"1x0x2\" is not 3 positive extents"),
            ("matmul 1x2x99999999999999999999", "is not 3 positive extents"),
            ("matmul 1x2x3 nm", "\"nm\" is unknown in"),
            ("matmul 1x2x3 batches=many", "\"batches=many\" has no number"),
            ("convolution 1x3x8x8 4x3x3 groups=2", "2 groups do not divide 3 channels"),
            ("convolution 1x3x8x8 4x3x3 groups=0", "0 groups do not divide 3 channels"),
            ("sum 3x4", "either rows or columns"),
        ] {
            let error = line.parse::<Problem>().expect_err(line);
            assert!(error.reason.contains(reason), "{error}");
        }
        assert!(problems(&["none".to_owned()]).is_err());
    }
}
