//! Einstein summation.

use super::precision::rounded_once;
use crate::{
    array64::Array64,
    dtype::DType,
    error::OpError,
    graph::{Graph, Tensor},
    ops::contract::{Bound, Function, Sample},
    shape::{Meta, Shape},
};

/// Label of an axis. Axes of an ellipsis sort first, and are counted from the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(std::cmp::Reverse<usize>),
    Letter(char),
}

/// Labels of the operands and of the result.
#[derive(Clone, Debug, PartialEq)]
struct Equation {
    operands: Vec<Vec<Label>>,
    result: Vec<Label>,
}

/// A tensor and the labels of its axes, which are distinct.
#[derive(Clone, Debug)]
struct Labelled<'g> {
    tensor: Tensor<'g>,
    labels: Vec<Label>,
}

impl Graph {
    /// Einstein summation: `"bij,bjk->bik"` is a batched matrix product.
    ///
    /// Each axis of an operand has a letter. Axes with the same letter are iterated together; a
    /// letter that occurs twice in an operand selects its diagonal; letters that are not in the
    /// result are summed. `...` stands for any number of axes, which broadcast. Without `->` the
    /// result has the axes of `...`, followed by the letters that occur once, in alphabetical
    /// order, capitals first.
    ///
    /// ```
    /// use wgrad::{DType, Graph};
    ///
    /// let graph = Graph::new();
    /// let queries = graph.input("queries", [2, 8, 5, 16], DType::F32);
    /// let keys = graph.input("keys", [2, 8, 7, 16], DType::F32);
    /// let scores = graph.einsum("...qd,...kd->...qk", &[queries, keys]);
    /// assert_eq!(scores.shape().dims(), [2, 8, 5, 7]);
    /// ```
    ///
    /// # Shapes
    ///
    /// Extents of one letter are equal, or 1, which broadcasts.
    ///
    /// # Numerics
    ///
    /// Operands are contracted from the left, with one batched matrix product each; letters of only
    /// one of the two are summed before. Order them so that intermediate results stay small.
    ///
    /// # Errors
    ///
    /// [`OpError::Extents`] unless there is a term for each operand and a letter for each axis;
    /// [`OpError::Label`] for a character that is not a letter, for a letter with two extents, and
    /// for one that the result names twice or no operand has; [`OpError::DType`] for non-floats.
    ///
    /// # Source
    ///
    /// NumPy's and PyTorch's `einsum`.
    #[doc(alias = "tensordot")]
    #[track_caller]
    pub fn einsum<'g>(&'g self, equation: &str, operands: &[Tensor<'g>]) -> Tensor<'g> {
        if let Some(&failed) = operands.iter().find(|x| x.failed()) {
            return failed;
        }
        let metas: Vec<Meta> = operands.iter().map(|x| x.meta()).collect();
        let checked = parse(equation, &metas).and_then(|equation| {
            let extents = Extents::new(&equation, &metas)?;
            match metas.iter().find(|meta| !meta.dtype.is_float()) {
                Some(meta) => Err(OpError::DType(meta.dtype)),
                None => Ok((equation, extents)),
            }
        });
        let (Equation { operands: labels, result }, extents) = match checked {
            Ok(checked) => checked,
            Err(reason) => return self.refuse("einsum", operands, reason),
        };
        let mut terms = Vec::new();
        for (&tensor, labels) in operands.iter().zip(labels) {
            let Labelled { tensor, labels } = Labelled { tensor, labels }.with_diagonals();
            // Axes that broadcast are dropped.
            let shape = tensor.shape();
            let named = labels.iter().zip(shape.dims());
            let wide = named.filter(|(label, dim)| extents.of(&[**label]) == [**dim]);
            let labels: Vec<Label> = wide.map(|(label, _)| *label).collect();
            terms.push(Labelled { tensor: tensor.reshape(extents.of(&labels)), labels });
        }
        if is_one_operation(&terms, &result) {
            return contracted(&terms, &result, &extents);
        }
        let operands: Vec<Tensor> = terms.iter().map(|term| term.tensor).collect();
        rounded_once("einsum", &operands, |wide| {
            for (term, &tensor) in terms.iter_mut().zip(wide) {
                term.tensor = tensor;
            }
            contracted(&terms, &result, &extents)
        })
    }
}

/// Whether there is at most one sum or product of these terms, which rounds once by itself: halves
/// need not be widened.
fn is_one_operation(terms: &[Labelled<'_>], result: &[Label]) -> bool {
    let [a, b] = terms else { return terms.len() == 1 };
    let is_shared = |label: &Label| a.labels.contains(label) && b.labels.contains(label);
    let mut all = a.labels.iter().chain(&b.labels);
    let is_summed = |label: &Label| !result.contains(label);
    if !all.clone().any(is_summed) {
        return true;
    }
    // Otherwise a matrix product, with nothing to be summed before it.
    all.clone().all(|label| is_shared(label) || !is_summed(label)) && !all.all(is_shared)
}

/// The product of all terms, contracted from the left.
#[track_caller]
fn contracted<'g>(terms: &[Labelled<'g>], result: &[Label], extents: &Extents) -> Tensor<'g> {
    let [first, others @ ..] = terms else { unreachable!("a term at least") };
    let mut product = first.clone();
    for (k, other) in others.iter().enumerate() {
        let later = others[k + 1..].iter().flat_map(|term| &term.labels);
        let kept: Vec<Label> = later.chain(result).copied().collect();
        product = product.contract(other.clone(), &kept, extents);
    }
    product.summed(result).ordered(result).tensor
}

impl<'g> Labelled<'g> {
    /// Merges axes with the same label into their diagonal.
    #[track_caller]
    fn with_diagonals(mut self) -> Self {
        while let Some((first, second)) = self.repeated() {
            let label = self.labels[first];
            let others: Vec<usize> =
                (0..self.labels.len()).filter(|&axis| axis != first && axis != second).collect();
            let axes = [others.as_slice(), &[first, second]].concat();
            let labels = others.iter().map(|&axis| self.labels[axis]).chain([label]).collect();
            self = Labelled { tensor: self.tensor.transpose(axes).diagonal(), labels };
        }
        self
    }

    fn repeated(&self) -> Option<(usize, usize)> {
        let first_of = |label| self.labels.iter().position(|known| *known == label);
        let mut named = self.labels.iter().enumerate();
        named.find_map(|(axis, &label)| Some((first_of(label).filter(|&at| at < axis)?, axis)))
    }

    /// Sums over labels other than these.
    #[track_caller]
    fn summed(self, kept: &[Label]) -> Self {
        let is_kept = |label: &Label| kept.contains(label);
        let axes: Vec<i32> = (0..)
            .zip(&self.labels)
            .filter_map(|(axis, label)| (!is_kept(label)).then_some(axis))
            .collect();
        if axes.is_empty() {
            return self;
        }
        let labels = self.labels.iter().copied().filter(is_kept).collect();
        Labelled { tensor: self.tensor.sum(axes.as_slice()), labels }
    }

    /// Permutes the axes to the order of these labels, which include all of its own.
    #[track_caller]
    fn ordered(self, labels: &[Label]) -> Self {
        let place = |label: &Label| self.labels.iter().position(|known| known == label);
        let axes: Vec<usize> = labels.iter().filter_map(place).collect();
        if axes.is_sorted() {
            return self;
        }
        let labels = axes.iter().map(|&axis| self.labels[axis]).collect();
        Labelled { tensor: self.tensor.transpose(axes), labels }
    }

    /// Multiplies, and sums over labels that occur only in these two.
    #[track_caller]
    fn contract(self, other: Self, kept: &[Label], extents: &Extents) -> Self {
        let a = self.clone().summed(&[kept, &other.labels].concat());
        let b = other.summed(&[kept, &self.labels].concat());
        let of = |x: &Self, is_in: &dyn Fn(&Label) -> bool| -> Vec<Label> {
            x.labels.iter().copied().filter(|label| is_in(label)).collect()
        };
        let shared = |label: &Label| b.labels.contains(label);
        let batch = of(&a, &|label| shared(label) && kept.contains(label));
        let inner = of(&a, &|label| shared(label) && !kept.contains(label));
        let rows = of(&a, &|label| !shared(label));
        let columns = of(&b, &|label| !a.labels.contains(label));
        let labels = [batch.as_slice(), &rows, &columns].concat();
        let outer = extents.of(&batch);
        if inner.is_empty() {
            let (a, b) = (a.ordered(&labels).tensor, b.ordered(&labels).tensor);
            let open = [outer.clone(), extents.of(&rows), vec![1; columns.len()]].concat();
            let apart = [outer, vec![1; rows.len()], extents.of(&columns)].concat();
            return Labelled { tensor: a.reshape(open) * b.reshape(apart), labels };
        }
        if rows.is_empty() && columns.is_empty() {
            // A sum over rows, for which products with matrices of one row would be wasteful.
            let order = [batch, inner].concat();
            let product = a.ordered(&order).tensor * b.ordered(&order).tensor;
            return Labelled { tensor: product, labels: order }.summed(&labels);
        }
        let count = |labels: &[Label]| Shape::from(extents.of(labels)).len();
        let of_a = [outer.as_slice(), &[count(&rows), count(&inner)]].concat();
        let of_b = [outer.as_slice(), &[count(&inner), count(&columns)]].concat();
        let a = a.ordered(&[batch.as_slice(), &rows, &inner].concat()).tensor.reshape(of_a);
        let b = b.ordered(&[batch.as_slice(), &inner, &columns].concat()).tensor.reshape(of_b);
        Labelled { tensor: a.matmul(b).reshape(extents.of(&labels)), labels }
    }
}

/// Parses an equation for operands of these types.
fn parse(equation: &str, operands: &[Meta]) -> Result<Equation, OpError> {
    let plain: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (terms, result) = match plain.split_once("->") {
        Some((terms, result)) => (terms, Some(result)),
        None => (plain.as_str(), None),
    };
    let terms: Vec<&str> = terms.split(',').collect();
    if terms.len() != operands.len() {
        let what = "numbers of terms and of operands";
        return Err(OpError::Extents { what, lhs: terms.len(), rhs: operands.len() });
    }
    let mut wide = 0;
    let mut labels = Vec::new();
    for (term, meta) in terms.iter().zip(operands) {
        let letters = letters(term)?.len();
        let rank = meta.shape.rank();
        if letters > rank || (letters < rank && !term.contains(ELLIPSIS)) {
            let what = "numbers of letters and of axes";
            return Err(OpError::Extents { what, lhs: letters, rhs: rank });
        }
        wide = wide.max(rank - letters);
        labels.push(named(term, rank - letters)?);
    }
    let all = labels.concat();
    let result = match result {
        Some(result) => named(result, if result.contains(ELLIPSIS) { wide } else { 0 })?,
        None => {
            let once = |label: &Label| match label {
                Label::Ellipsis(_) => true,
                Label::Letter(_) => all.iter().filter(|known| *known == label).count() == 1,
            };
            let mut result: Vec<Label> = all.iter().copied().filter(once).collect();
            result.sort_unstable();
            result.dedup();
            result
        }
    };
    for (k, label) in result.iter().enumerate() {
        if let Label::Letter(letter) = *label {
            if result[..k].contains(label) {
                return Err(OpError::Label { letter, why: "is named twice in the result" });
            }
            if !all.contains(label) {
                return Err(OpError::Label { letter, why: "is in the result but in no operand" });
            }
        }
    }
    Ok(Equation { operands: labels, result })
}

/// Placeholder for any number of axes.
const ELLIPSIS: &str = "...";

/// The letters of a term, without the ellipsis.
fn letters(term: &str) -> Result<Vec<char>, OpError> {
    let letters: Vec<char> = term.replacen(ELLIPSIS, "", 1).chars().collect();
    match letters.iter().find(|letter| !letter.is_ascii_alphabetic()) {
        Some(&letter) => Err(OpError::Label { letter, why: "is not a letter" }),
        None => Ok(letters),
    }
}

/// The labels of a term, with an ellipsis of `wide` axes.
fn named(term: &str, wide: usize) -> Result<Vec<Label>, OpError> {
    letters(term)?;
    let (front, back) = term.split_once(ELLIPSIS).unwrap_or((term, ""));
    let axes = (0..wide).rev().map(|axis| Label::Ellipsis(std::cmp::Reverse(axis)));
    Ok(front
        .chars()
        .map(Label::Letter)
        .chain(axes)
        .chain(back.chars().map(Label::Letter))
        .collect())
}

/// The extent of each label.
#[derive(Clone, Debug)]
struct Extents(Vec<(Label, usize)>);

impl Extents {
    fn new(equation: &Equation, operands: &[Meta]) -> Result<Self, OpError> {
        let mut extents: Vec<(Label, usize)> = Vec::new();
        for (labels, meta) in equation.operands.iter().zip(operands) {
            for (axis, (&label, &dim)) in labels.iter().zip(meta.shape.dims()).enumerate() {
                let differs = |why| match label {
                    Label::Letter(letter) => OpError::Label { letter, why },
                    Label::Ellipsis(_) => OpError::Broadcast,
                };
                let before = labels[..axis].iter().position(|known| *known == label);
                if before.is_some_and(|before| meta.shape.dims()[before] != dim) {
                    return Err(differs("is the diagonal of axes whose extents differ"));
                }
                match extents.iter_mut().find(|(known, _)| *known == label) {
                    None => extents.push((label, dim)),
                    Some((_, extent)) if *extent == 1 => *extent = dim,
                    Some((_, extent)) if dim == 1 || dim == *extent => {}
                    Some(_) => return Err(differs("names axes whose extents differ")),
                }
            }
        }
        Ok(Extents(extents))
    }

    /// The extents of these labels.
    fn of(&self, labels: &[Label]) -> Vec<usize> {
        let of = |label| self.0.iter().find(|(known, _)| known == label).map(|(_, extent)| *extent);
        labels.iter().filter_map(of).collect()
    }
}

/// The formula: loops over all letters.
fn definition(equation: &str, x: &[&Array64]) -> Array64 {
    let (terms, result) = equation.split_once("->").unwrap_or((equation, ""));
    let terms: Vec<Vec<char>> = terms.split(',').map(|term| term.chars().collect()).collect();
    let mut letters: Vec<char> = result.chars().collect();
    letters.extend(terms.concat().into_iter().filter(|c| !result.contains(*c)));
    let rest = letters.split_off(result.len());
    let mut extra = rest.clone();
    extra.sort_unstable();
    extra.dedup();
    letters.extend(extra);
    let extent = |letter: char| {
        let of = |(term, x): (&Vec<char>, &&Array64)| {
            Some(x.shape().dims()[term.iter().position(|c| *c == letter)?])
        };
        terms.iter().zip(x).filter_map(of).max().unwrap_or(1)
    };
    let dims: Vec<usize> = letters.iter().map(|&letter| extent(letter)).collect();
    let meta = Meta::new(&dims[..result.len()], x[0].meta.dtype);
    let mut y = Array64::from_fn(meta, |_| 0.0);
    for c in Shape::from(dims).coordinates() {
        let product = terms.iter().zip(x).map(|(term, x)| {
            let at = |(axis, letter): (usize, &char)| {
                let place = letters.iter().position(|known| known == letter).unwrap_or(0);
                if x.shape().dims()[axis] == 1 { 0 } else { c[place] }
            };
            x.at(&term.iter().enumerate().map(at).collect::<Vec<_>>())
        });
        let product: f64 = product.product();
        let place = y.shape().index(&c[..result.len()]);
        y.data[place] += product;
    }
    y
}

/// Samples of equations, defined by the formula.
pub(super) fn samples() -> Vec<Sample> {
    // An equation, the same without ellipsis, and the shapes of its operands.
    let of = |equation: &'static str, plain: &'static str, dims: &[&[usize]]| {
        let function = Function::new(
            "einsum",
            move |x| x[0].graph().einsum(equation, x),
            move |x| definition(plain, x),
        );
        let metas = dims.iter().map(|&dims| Meta::new(dims, DType::F32));
        Sample::new(function.with(format!(" {equation}")), metas)
            .bound(Bound::Terms(12.0), "sums of a few products, one after another")
    };
    let same = |equation: &'static str, dims: &[&[usize]]| of(equation, equation, dims);
    vec![
        same("ij,jk->ik", &[&[3, 4], &[4, 5]]),
        same("bij,bjk->bik", &[&[2, 3, 4], &[2, 4, 5]]),
        same("bji,bkj->ikb", &[&[2, 4, 3], &[2, 5, 4]]),
        of("bij,jk", "bij,jk->bik", &[&[2, 3, 4], &[4, 2]]),
        of("ba,Ab", "ba,Ab->Aa", &[&[3, 4], &[2, 3]]),
        same("ij->ji", &[&[3, 4]]),
        same("ij->", &[&[3, 4]]),
        of("ii", "ii->", &[&[4, 4]]),
        same("ii->i", &[&[4, 4]]),
        same("iji->j", &[&[3, 4, 3]]),
        same("iii->i", &[&[3, 3, 3]]),
        same("i,j->ij", &[&[3], &[4]]),
        same("ij,ij->ij", &[&[3, 4], &[3, 4]]),
        same("ij,ij->i", &[&[3, 4], &[3, 4]]),
        same("i,i->", &[&[5], &[5]]),
        same("ij,kl->il", &[&[3, 4], &[2, 5]]),
        same("ij,jk,kl->il", &[&[2, 3], &[3, 4], &[4, 2]]),
        same("bn,anm,bm->ba", &[&[2, 3], &[4, 3, 2], &[2, 2]]),
        same("ijk,ilkm,jml->", &[&[2, 3, 2], &[2, 2, 2, 3], &[3, 3, 2]]),
        of("...ij,...jk->...ik", "xyij,xyjk->xyik", &[&[2, 3, 2, 3], &[2, 3, 3, 2]]),
        of("...ij,...jk", "xyij,yjk->xyik", &[&[2, 3, 2, 3], &[3, 3, 2]]),
        of("i...->...", "ixy->xy", &[&[3, 2, 4]]),
        of("...i->i", "xyi->i", &[&[3, 2, 4]]),
        same("ij,ij->ij", &[&[3, 1], &[3, 4]]).named("broadcast"),
        same("ij,ij->j", &[&[3, 1], &[3, 4]]).named("broadcast, summed"),
        same("ij,jk->ik", &[&[2, 0], &[0, 3]]).named("no terms"),
        same(",i->i", &[&[], &[4]]).named("a scalar"),
    ]
}
