//! Custom operations of other crates: a shape rule, a shader, and optional extras.

use super::kernel::{CpuKernel, Kernel, KernelResult, Shader};
use super::*;
use crate::{dtype::DType, graph::Graph};
use std::sync::Arc;

/// An operation of another crate.
///
/// Its shape rule and its shader define it. With a [`definition`](Self::with_definition) in
/// f64 it runs on every device, and a GPU verifies its shader before using it; without one its
/// results are marked as unverified. With a [`derivative`](Self::with_vjp) it is differentiable
/// like every other operation, to the order of the operations the derivative is written in.
/// Clones are the same operation.
///
/// ```
/// use wgrad::{Array, DType, Device, Graph, autodiff, ops::{Custom, Shader}, testing::Bound};
///
/// // y = x * x, one invocation an element.
/// const SQUARE: &str = "
/// struct Params { len: u32 }
/// @group(0) @binding(0) var<uniform> params: Params;
/// @group(0) @binding(1) var<storage, read> x: array<Elem>;
/// @group(0) @binding(2) var<storage, read_write> y: array<Out>;
///
/// @compute @workgroup_size(64)
/// fn main(
///     @builtin(global_invocation_id) id: vec3<u32>,
///     @builtin(num_workgroups) groups: vec3<u32>,
/// ) {
///     let i = id.x + id.y * groups.x * 64u;
///     if i < params.len { y[i] = epilogue(x[i] * x[i], i); }
/// }";
/// let square = Custom::new(
///     "square",
///     |x| Ok(x[0].clone()),
///     |_, y| {
///         let len = y.shape.len();
///         Shader::new("square", SQUARE, &(len as u32).to_le_bytes(), len.div_ceil(64))
///     },
/// )
/// .with_definition(Bound::Ulp(1), |x| x[0].data.iter().map(|x| x * x).collect())
/// .with_vjp(|x, _, ct| vec![Some(ct * x[0] * 2.0)]);
///
/// let graph = Graph::new();
/// let x = graph.input("x", [2], DType::F32);
/// let y = graph.custom(&square, &[x]).sum(..);
/// let slope = autodiff::grad(y, &[x])[0];
/// let slope = slope.eval(&Device::cpu(), &[("x", &Array::new([2], &[3.0f32, -1.0])?)])?;
/// assert_eq!(slope.to_f64(), [6.0, -2.0]);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("custom_op", "custom_gradient", "autograd.Function"))]
#[derive(Clone)]
pub struct Custom(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    name: &'static str,
    infer: Arc<Infer>,
    shader: Arc<MakeShader>,
    definition: Option<(Bound, Arc<Definition>)>,
    operands: Vec<(usize, Domain)>,
    axes: Vec<(usize, Vec<Option<usize>>)>,
    cpu: Option<Arc<MakeCpu>>,
    vjp: Option<Arc<Vjp>>,
    cost: Option<Arc<MakeCost>>,
}

type Infer = dyn Fn(&[Meta]) -> Result<Meta, OpError> + Send + Sync;
type MakeShader = dyn Fn(&[&Meta], &Meta) -> Shader + Send + Sync;
type MakeCpu = dyn Fn(&[&Meta], &Meta) -> CpuKernel + Send + Sync;
type MakeCost = dyn Fn(&[&Meta], &Meta) -> Cost + Send + Sync;
type Definition = dyn Fn(&[&Array64]) -> Vec<f64> + Send + Sync;
type Vjp =
    dyn for<'g> Fn(&[Tensor<'g>], Tensor<'g>, Tensor<'g>) -> Vec<Option<Tensor<'g>>> + Send + Sync;

impl Custom {
    /// `infer` returns shape and type of the result, or an error; it must handle any number of
    /// operands. `shader` returns the dispatch for operands and a result that passed `infer`.
    pub fn new(
        name: &'static str,
        infer: impl Fn(&[Meta]) -> Result<Meta, OpError> + Send + Sync + 'static,
        shader: impl Fn(&[&Meta], &Meta) -> Shader + Send + Sync + 'static,
    ) -> Self {
        Custom(Arc::new(Parts {
            name,
            infer: Arc::new(infer),
            shader: Arc::new(shader),
            definition: None,
            operands: vec![],
            axes: vec![],
            cpu: None,
            vjp: None,
            cost: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Sets the definition in f64: the elements of the result in row-major order. `bound` is the
    /// error allowed on a device. The reference device runs the definition; so does the CPU unless
    /// it has a [loop](Self::with_cpu); and GPUs verify the shader against it.
    pub fn with_definition(
        self,
        bound: Bound,
        definition: impl Fn(&[&Array64]) -> Vec<f64> + Send + Sync + 'static,
    ) -> Self {
        self.with(|parts| parts.definition = Some((bound, Arc::new(definition))))
    }

    /// Sets the values of operand `index` for the verification of the shader. By default floats
    /// lie between -1 and 1 and integers below 100.
    pub fn with_operand(self, index: usize, domain: Domain) -> Self {
        self.with(|parts| parts.operands.push((index, domain)))
    }

    /// Declares that elements at a coordinate of this axis of the result depend only on operands at
    /// the same coordinate of these axes, one per operand, `None` if all of it is needed. Large
    /// problems are then verified in parts; without such an axis the definition computes it all.
    pub fn with_free_axis(
        self,
        result: usize,
        operands: impl IntoIterator<Item = Option<usize>>,
    ) -> Self {
        self.with(|parts| parts.axes.push((result, operands.into_iter().collect())))
    }

    /// Sets the CPU loop.
    pub fn with_cpu(
        self,
        cpu: impl Fn(&[&Meta], &Meta) -> CpuKernel + Send + Sync + 'static,
    ) -> Self {
        self.with(|parts| parts.cpu = Some(Arc::new(cpu)))
    }

    /// Sets the cotangents of the operands, computed from the operands, the result and its
    /// cotangent: one per operand, of its shape and type, or `None` for zero by definition.
    pub fn with_vjp(
        self,
        vjp: impl for<'g> Fn(&[Tensor<'g>], Tensor<'g>, Tensor<'g>) -> Vec<Option<Tensor<'g>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.with(|parts| parts.vjp = Some(Arc::new(vjp)))
    }

    /// Sets the cost, if it exceeds reading the operands and writing the result.
    pub fn with_cost(self, cost: impl Fn(&[&Meta], &Meta) -> Cost + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.cost = Some(Arc::new(cost)))
    }

    /// Whether it has a definition in f64.
    pub fn is_defined(&self) -> bool {
        self.0.definition.is_some()
    }

    /// Whether it has a derivative.
    pub fn is_differentiable(&self) -> bool {
        self.0.vjp.is_some()
    }

    /// The bound of the definition, if there is one.
    pub(crate) fn bound(&self) -> Option<Bound> {
        self.0.definition.as_ref().map(|(bound, _)| *bound)
    }

    /// The values of operands that are not everyday ones.
    pub(crate) fn domains(&self) -> &[(usize, Domain)] {
        &self.0.operands
    }

    /// Whether there is a definition, and as many elements from it as the result of these operands
    /// has.
    pub(crate) fn check_definition(&self, operands: &[&Array64]) -> Result<(), OpError> {
        let Some((_, definition)) = &self.0.definition else {
            return Err(OpError::Argument("has no definition in f64: see Custom::with_definition"));
        };
        let metas: Vec<Meta> = operands.iter().map(|operand| operand.meta.clone()).collect();
        if definition(operands).len() != self.infer(&metas)?.shape.len() {
            return Err(OpError::Argument(
                "its definition must return as many elements as the result has",
            ));
        }
        Ok(())
    }

    /// Checks what a shader needs to be fused with its consumers, and to be bound.
    fn check(shader: &Shader, operands: usize) -> Result<(), OpError> {
        let count = |what| shader.file.source.matches(what).count();
        let wrong = if count("var<storage, read>") != operands {
            "the shader must declare each operand as var<storage, read>"
        } else if count("var<storage, read_write>") != 1 {
            "the shader must declare one result as var<storage, read_write>"
        } else if count("var<uniform>") != 1 {
            "the shader must declare its Params as var<uniform>"
        } else if !shader.file.source.contains("epilogue(") {
            "the shader must store what epilogue(value, index) returns"
        } else if !shader.file.imports.iter().all(|name| library::exists(name)) {
            "the shader imports a fragment that shaders/lib has not"
        } else if shader.params.bytes().is_empty() || !shader.params.bytes().len().is_multiple_of(4)
        {
            "the shader's params must be some words"
        } else {
            return Ok(());
        };
        Err(OpError::Argument(wrong))
    }

    /// A free axis must be an axis of the result, with the same extent in the operands.
    fn check_axes(&self, operands: &[Meta], result: &Meta) -> Result<(), OpError> {
        let extent = |meta: &Meta, axis: usize| meta.shape.dims().get(axis).copied();
        for (axis, axes) in &self.0.axes {
            let whole = extent(result, *axis);
            let fits = |(operand, axis): (&Meta, &Option<usize>)| {
                axis.is_none_or(|axis| extent(operand, axis) == whole)
            };
            let all = operands.iter().zip(axes).all(fits);
            if whole.is_none() || axes.len() != operands.len() || !all {
                return Err(OpError::Argument(
                    "a free axis must be one of the result, and as long in the operands",
                ));
            }
        }
        Ok(())
    }

    fn probe(&self, operands: &[&Meta]) -> Option<Probe> {
        let (bound, _) = self.0.definition.as_ref()?;
        let mut probe = Probe::new(self.clone(), operands, *bound);
        for (index, domain) in self.0.operands.iter().filter(|(index, _)| *index < operands.len()) {
            probe = probe.operand(*index, domain.clone());
        }
        for (result, axes) in &self.0.axes {
            probe = probe.along_axes(*result, axes.clone());
        }
        Some(probe)
    }

    /// The definition as a CPU loop, computing everything at once.
    fn defined_cpu(&self, operands: &[&Meta], result: &Meta) -> Option<CpuKernel> {
        self.0.definition.as_ref()?;
        let metas: Vec<Meta> = operands.iter().map(|&meta| meta.clone()).collect();
        let (len, dtype, custom) = (result.shape.len(), result.dtype, self.clone());
        Some(CpuKernel::new(len, 1, move |words, _, out| {
            let operands = metas.iter().zip(words).map(|(meta, words)| {
                let data = words.iter().map(|&word| meta.dtype.from_word(word)).collect();
                Array64 { meta: meta.clone(), data }
            });
            let operands: Vec<Array64> = operands.collect();
            let values = custom.eval(&operands.iter().collect::<Vec<_>>());
            for (out, value) in out.iter_mut().zip(values.data) {
                *out = dtype.to_word(dtype.round(value));
            }
        }))
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Custom({})", self.0.name)
    }
}

impl std::fmt::Display for Custom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Graph {
    /// Applies an operation of another crate.
    ///
    /// # Errors
    ///
    /// Those of its shape rule; [`OpError::Argument`] if its shader does not have the form
    /// described at [`Shader`], or if there are more than 6 operands.
    #[track_caller]
    pub fn custom<'g>(&'g self, op: &Custom, operands: &[Tensor<'g>]) -> Tensor<'g> {
        let metas: Vec<Meta> = operands.iter().map(|operand| operand.meta()).collect();
        let checked = (op.0.infer)(&metas).and_then(|result| match metas.len() {
            0..=6 => {
                let shader = (op.0.shader)(&metas.iter().collect::<Vec<_>>(), &result);
                Custom::check(&shader, metas.len())?;
                op.check_axes(&metas, &result)
            }
            _ => Err(OpError::Argument("a shader can bind at most 6 operands")),
        });
        match checked {
            Ok(()) => self.push(op.clone(), operands),
            Err(reason) => self.refuse(op.0.name, operands, reason),
        }
    }
}

impl Operation for Custom {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn infer(&self, operands: &[Meta]) -> Result<Meta, OpError> {
        (self.0.infer)(operands)
    }

    /// Returns NaN without a definition, if it returns too few elements, or if the shape rule
    /// rejects a part of operands it accepted: then no device agrees with it.
    fn eval(&self, operands: &[&Array64]) -> Array64 {
        let metas: Vec<Meta> = operands.iter().map(|operand| operand.meta.clone()).collect();
        let meta = self.infer(&metas).unwrap_or_else(|_| Meta::new([], DType::F32));
        let definition = self.0.definition.as_ref();
        let mut data = definition.map(|(_, eval)| eval(operands)).unwrap_or_default();
        data.resize(meta.shape.len(), f64::NAN);
        Array64 { meta, data }
    }

    fn vjp<'g>(
        &self,
        operands: &[Tensor<'g>],
        y: Tensor<'g>,
        ct: Tensor<'g>,
    ) -> Vec<Option<Tensor<'g>>> {
        let refused = |reason| vec![Some(y.graph.refuse(self.0.name, operands, reason))];
        let Some(vjp) = &self.0.vjp else { return refused(OpError::NoDerivative) };
        let cotangents = vjp(operands, y, ct);
        if cotangents.len() != operands.len() {
            return refused(OpError::Argument("its derivative needs an entry for each operand"));
        }
        for (ct, operand) in cotangents.iter().zip(operands) {
            if let Some(ct) = ct
                && !ct.failed()
                && ct.meta() != operand.meta()
            {
                return refused(OpError::Argument(
                    "its derivative must have the shapes and types of the operands",
                ));
            }
        }
        cotangents
    }

    fn expand<'g>(&self, _: &[Tensor<'g>]) -> Option<Tensor<'g>> {
        None
    }

    fn class(&self, _: &[&Meta], _: &Meta) -> Class {
        Class::Kernel
    }

    fn kernel(&self, operands: &[&Meta], result: &Meta) -> Option<Kernel> {
        let cpu = self.0.cpu.as_ref().map(|cpu| cpu(operands, result));
        let probe = self.probe(operands).map(Arc::new);
        Some(Kernel {
            order: None,
            parts: 1,
            shaders: vec![(self.0.shader)(operands, result)],
            cpu: cpu.or_else(|| self.defined_cpu(operands, result)),
            results: vec![KernelResult { name: "", dtype: result.dtype, probe }],
            result: 0,
        })
    }

    fn cost(&self, operands: &[&Meta], result: &Meta) -> Cost {
        match &self.0.cost {
            Some(cost) => cost(operands, result),
            None => Cost::elementwise(1.0, operands, result),
        }
    }

    /// This crate's operations have their own files; tests/suite/custom.rs has more samples.
    fn samples() -> Vec<Sample> {
        library::samples()
    }
}
