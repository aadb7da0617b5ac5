//! The embedding table.

use super::{Module, Scope};
use crate::{error::OpError, graph::Tensor, init::Init, numbers::Must};
use std::panic::Location;

/// A vector for each of a number of symbols: `y[.., :] = W[x[..], :]`.
///
/// An out-of-range index is an error if it is an input of the program
/// ([`RunError::IndexOutOfRange`](crate::RunError::IndexOutOfRange)); if computed on a device, it
/// yields zeros, and no gradient.
///
/// # Shapes
///
/// `x` is `[..]` of u32, `weight` `[count, width]`, `y` `[.., width]`.
#[derive(Clone, Debug)]
pub struct Embedding {
    count: usize,
    width: usize,
    init: Init,
    padding: Option<usize>,
    line: &'static Location<'static>,
}

impl Embedding {
    /// Creates a table of `count` symbols with vectors of `width`; the weight is initialized with
    /// standard normal numbers.
    #[track_caller]
    pub fn new(count: usize, width: usize) -> Self {
        let init = Init::Normal { mean: 0.0, std: 1.0 };
        Embedding { count, width, init, padding: None, line: Location::caller() }
    }

    /// Sets the initialization of the weight.
    pub fn init(self, init: Init) -> Self {
        Embedding { init, ..self }
    }

    /// Makes one symbol that of padding: its vector is initialized with zeros, and has no gradient, so
    /// that it stays what it is.
    #[doc(alias = "padding_idx")]
    pub fn padding_index(self, symbol: usize) -> Self {
        Embedding { padding: Some(symbol), ..self }
    }
}

impl Module for Embedding {
    fn name(&self) -> &str {
        "embedding"
    }

    fn forward<'g>(&self, cx: &mut Scope<'g>, x: Tensor<'g>) -> Tensor<'g> {
        let _line = cx.at(self.line);
        let numbers = [
            ("count", self.count as f64, Must::BePositive),
            ("width", self.width as f64, Must::BePositive),
        ];
        if let Some(refused) = cx.graph().refuse_invalid("embedding", &[x], &numbers) {
            return refused;
        }
        let Some(symbol) = self.padding else {
            let weight = cx.param("weight", [self.count, self.width], self.init);
            return cx.cast(weight.index_select(x, 0));
        };
        if symbol >= self.count {
            let (what, must) = ("symbol of padding", "below the number of symbols");
            let reason = OpError::Number { what, must, is: symbol as f64 };
            return cx.graph().refuse("embedding", &[x], reason);
        }
        let init = Init::ZeroRow { row: symbol, rest: self.init.kept() };
        let y = cx.param("weight", [self.count, self.width], init).index_select(x, 0);
        let is_padding = x.equal(x.full_like(symbol as f64)).unsqueeze(-1);
        cx.cast(is_padding.broadcast_to(y.shape()).select(y.detach(), y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Array, DType, Device, Error, Graph, Variables, autodiff, nn::Mode};

    /// The row of padding begins with zeros, is looked up like any other, and has no gradient.
    #[test]
    fn padding_has_no_gradient() -> Result<(), Error> {
        for init in [Init::Normal { mean: 0.0, std: 1.0 }, Init::HeUniform, Init::Constant(3.0)] {
            let store = Variables::new(7);
            let layer = Embedding::new(4, 3).init(init).padding_index(2);
            let plain = Embedding::new(4, 3).init(init);
            let run = |layer: &Embedding, store: &Variables| -> Result<Vec<Vec<f64>>, Error> {
                let graph = Graph::new();
                let mut cx = Scope::new(&graph, Mode::Train);
                let x = graph.input("x", [2, 3], DType::U32);
                let y = layer.forward(&mut cx, x);
                let (_, table) = cx.params().remove(0);
                let weights = graph.iota([2, 3, 3], -1, DType::F32) + 1.0;
                let slope = autodiff::grad((y * weights).sum(..), &[table])[0];
                let program = graph.compile(&Device::Reference, &[table, y, slope])?;
                let outputs =
                    program.run(store, &[("x", &Array::new([2, 3], &[2u32, 0, 2, 1, 2, 0])?)])?;
                [0, 1, 2].into_iter().map(|k| Ok(outputs.read_blocking(k)?.to_f64())).collect()
            };
            let found = run(&layer, &store)?;
            let (table, slope) = (&found[0], &found[2]);
            assert_eq!(table[6..9], [0.0; 3]);
            let all = &run(&plain, &Variables::new(7))?[0];
            assert_eq!((&table[..6], &table[9..]), (&all[..6], &all[9..]), "{init:?}");
            assert_eq!(slope[..], [2.0, 4.0, 6.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
            store.set("weight", Array::new([4, 3], &[0.5f32; 12])?)?;
            assert_eq!(run(&layer, &store)?[1], [0.5; 18], "what the row holds is given");
        }
        Ok(())
    }
}
