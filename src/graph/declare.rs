//! Inputs, variables and settings: what a graph knows by name.

use super::{Graph, Tensor};
use crate::{
    dtype::DType,
    error::{GraphError, OpError},
    graph::NodeId,
    init::Init,
    ops::source,
    shape::{Meta, Shape},
};

/// The declaration of a variable: enough to create it.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Shape and element type.
    pub meta: Meta,
    /// Its value before the first run.
    pub init: Init,
    /// Whether `init` is a [setting](Graph::setting), which counts more than what a file holds.
    pub is_setting: bool,
}

impl Declaration {
    /// A variable that is not a setting.
    pub(crate) fn new(meta: Meta, init: Init) -> Self {
        Declaration { meta, init, is_setting: false }
    }
}

impl Graph {
    /// The declaration of the variable at this path.
    pub(crate) fn declaration(&self, path: &str) -> Option<Declaration> {
        self.inner.borrow().variables.get(path).map(|(_, declaration)| declaration.clone())
    }

    /// An input, given at each run; the same name returns the same tensor.
    ///
    /// # Errors
    ///
    /// [`GraphError::Redeclared`] if the name has another shape or type.
    #[doc(alias = "placeholder")]
    #[track_caller]
    pub fn input(&self, name: &str, shape: impl Into<Shape>, dtype: DType) -> Tensor<'_> {
        let meta = Meta::new(shape, dtype);
        let known = self.inner.borrow().inputs.get(name).copied();
        if let Some(id) = known {
            return self.redeclare(name, id, meta);
        }
        let tensor = self.push(source::Input { name: name.into(), meta }, &[]);
        if !tensor.failed() {
            self.inner.borrow_mut().inputs.insert(name.to_owned(), tensor.id);
        }
        tensor
    }

    /// A variable: a value that persists between runs, stored under its path in a
    /// [`Variables`](crate::Variables) store. A missing one is initialized from `init`.
    ///
    /// # Errors
    ///
    /// [`GraphError::Redeclared`] if the path has another shape or type,
    /// [`GraphError::Reinitialized`] if it has another `init`: two parts of a model share a
    /// variable by accident. [`OpError::DType`] if `init` draws numbers that the type cannot
    /// hold; [`OpError::Unrepresentable`] for such a constant; [`OpError::Number`] for a negative
    /// standard deviation, bounds in the wrong order, and NaN.
    #[track_caller]
    pub fn variable(
        &self,
        path: &str,
        shape: impl Into<Shape>,
        dtype: DType,
        init: Init,
    ) -> Tensor<'_> {
        self.declare(path, Declaration::new(Meta::new(shape, dtype), init))
    }

    /// A setting: an f32 of the code that may be changed between runs without compiling again, such
    /// as a learning rate. It is a variable, and the code decides what it is:
    ///
    /// * In a store that lacks it, it is `value`.
    /// * Programs that declare it with one value share it, with what
    ///   [`Variables::set`](crate::Variables::set) has made of it: a schedule goes on in a program
    ///   for another batch size. Programs that declare it with two values are an error.
    /// * A file does not change it, whether it is loaded before or after the first run: what the
    ///   code says stands, or what was set since. A schedule is set after loading.
    /// * A value that was [inserted](crate::Variables::insert) is the caller's word, and stands
    ///   whatever programs declare.
    ///
    /// # Errors
    ///
    /// Same as [`variable`](Self::variable). When a program is prepared or run,
    /// [`VariableError::Setting`](crate::VariableError::Setting) if another program over the store
    /// declares it with another value.
    #[doc(alias("hyperparameter", "param_groups"))]
    #[track_caller]
    pub fn setting(&self, path: &str, value: f64) -> Tensor<'_> {
        let (meta, init) = (Meta::new([], DType::F32), Init::Constant(value));
        self.declare(path, Declaration { meta, init, is_setting: true })
    }

    /// A variable or a setting; one that is declared as both is a setting.
    #[track_caller]
    pub(crate) fn declare(&self, path: &str, declared: Declaration) -> Tensor<'_> {
        let Declaration { meta, init, is_setting } = declared.clone();
        let known = self.inner.borrow().variables.get(path).cloned();
        if let Some((id, Declaration { meta: first, init: begins, .. })) = known {
            if first == meta && begins != init {
                let (name, place) = (path.to_owned(), self.place());
                let (first, second) = (begins, init);
                return self.fail(GraphError::Reinitialized { name, first, second, place });
            }
            if let Some((_, known)) = self.inner.borrow_mut().variables.get_mut(path) {
                known.is_setting |= is_setting;
            }
            return self.redeclare(path, id, meta);
        }
        if !init.accepts(meta.dtype) {
            return self.refuse("variable", &[], OpError::DType(meta.dtype));
        }
        if let Init::Constant(value) = init
            && !meta.dtype.holds(value)
        {
            let dtype = meta.dtype;
            return self.refuse("variable", &[], OpError::Unrepresentable { value, dtype });
        }
        if let Some(refused) = self.refuse_invalid("variable", &[], &init.numbers()) {
            return refused;
        }
        let tensor = self.push(source::Variable { path: path.into(), meta }, &[]);
        if !tensor.failed() {
            let entry = (tensor.id, declared);
            self.inner.borrow_mut().variables.insert(path.to_owned(), entry);
        }
        tensor
    }

    #[track_caller]
    fn redeclare(&self, name: &str, id: NodeId, second: Meta) -> Tensor<'_> {
        let first = self.meta(id);
        if first == second {
            return Tensor { graph: self, id };
        }
        let place = self.place();
        self.fail(GraphError::Redeclared { name: name.to_owned(), first, second, place })
    }
}
