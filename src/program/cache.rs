//! Programs of one computation by the shapes of its inputs.

use super::Program;
use crate::{
    device::Device,
    error::{Error, GraphError, RunError},
    graph::{Attribution, Graph, Tensor},
    shape::Meta,
    value::{Feed, Outputs},
    variables::Variables,
};
use std::{
    fmt, mem,
    panic::Location,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One computation for inputs of any shape: traced and compiled for each set of shapes once.
///
/// A [`Program`] has fixed shapes. Where batches or sequences differ in length, this keeps a program
/// for each that it has met, and forgets the one that was used the longest ago when there are more
/// than its [capacity](Self::capacity). Variables are found by path, so all of them share the
/// parameters and the state of the optimizer.
///
/// ```
/// use wgrad::{Array, Device, Programs, Variables, nn::{self, Dense, Mode, Module, Recurrent, Scope}};
/// use wgrad::optim::{Adam, Optimizer};
///
/// // Sequences of any number of steps and any batch size.
/// let steps = Programs::new(&Device::cpu(), |graph, inputs| {
///     let mut cx = Scope::new(graph, Mode::Train);
///     let states = Recurrent::gru(4).forward(&mut cx.child("gru"), inputs.get("x"));
///     let y = Dense::new(1).forward(&mut cx.child("dense"), states);
///     let loss = nn::mean_squared_error(y, inputs.get("target"));
///     Adam::new(1e-2).update(&mut cx, loss);
///     vec![("loss", loss)]
/// });
///
/// let variables = Variables::new(0);
/// for length in [5, 3, 5, 3] {
///     let x = Array::full([2, length, 1], 0.5f32)?;
///     let target = Array::full([2, length, 1], 1.0f32)?;
///     let outputs = steps.run(&variables, &[("x", &x), ("target", &target)])?;
///     assert!(outputs.scalar("loss")? > 0.0);
/// }
/// assert_eq!((steps.misses(), steps.hits()), (2, 2));
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// Many lengths are many compilations: padding sequences to a few lengths keeps them few.
#[doc(alias("dynamic_shapes", "mark_dynamic", "jit", "tf.function"))]
pub struct Programs<F> {
    device: Device,
    trace: F,
    pure: bool,
    capacity: usize,
    /// Where it was made.
    location: &'static Location<'static>,
    cache: Mutex<Cache>,
}

/// Names and types of inputs, ordered by name.
type Signature = Vec<(String, Meta)>;

#[derive(Default)]
struct Cache {
    /// What was used last comes last.
    programs: Vec<(Signature, Arc<Program>)>,
    hits: u64,
    misses: u64,
}

/// The inputs of a computation that is traced by [`Programs`].
#[derive(Clone)]
pub struct Inputs<'g> {
    graph: &'g Graph,
    /// Ordered by name.
    tensors: Vec<(String, Tensor<'g>)>,
}

impl<'g> Inputs<'g> {
    /// Declares inputs of these names and types.
    #[track_caller]
    pub(crate) fn declared<'n>(
        graph: &'g Graph,
        inputs: impl IntoIterator<Item = (&'n str, &'n Meta)>,
    ) -> Self {
        let input = |(name, meta): (&str, &Meta)| {
            (name.to_owned(), graph.input(name, &meta.shape, meta.dtype))
        };
        Inputs::of(graph, inputs.into_iter().map(input).collect())
    }

    /// Tensors by name, as if they were the inputs of a run.
    pub(crate) fn of(graph: &'g Graph, mut tensors: Vec<(String, Tensor<'g>)>) -> Self {
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        Inputs { graph, tensors }
    }

    /// The input of this name.
    ///
    /// # Errors
    ///
    /// Recorded by the graph: [`GraphError::NotGiven`] if the run has no such input.
    #[track_caller]
    pub fn get(&self, name: &str) -> Tensor<'g> {
        match self.tensors.iter().find(|(known, _)| known == name) {
            Some((_, tensor)) => *tensor,
            None => {
                let known = self.tensors.iter().map(|(name, _)| name.clone()).collect();
                let (name, place) = (name.to_owned(), self.graph.place());
                self.graph.fail(GraphError::NotGiven { name, known, place })
            }
        }
    }

    /// Names and tensors, ordered by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Tensor<'g>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), *tensor))
    }
}

impl fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<F, N> Programs<F>
where
    F: for<'g> Fn(&'g Graph, &Inputs<'g>) -> Vec<(N, Tensor<'g>)>,
    N: AsRef<str>,
{
    /// Programs for this device that compute what `trace` returns, by names, and apply the effects
    /// of the graph. It is called for each set of shapes; the inputs of the run are declared.
    #[track_caller]
    pub fn new(device: &Device, trace: F) -> Self {
        Programs {
            device: device.clone(),
            trace,
            pure: false,
            capacity: 16,
            location: Location::caller(),
            cache: Mutex::default(),
        }
    }

    /// Sets how many programs are kept: 16, unless this says otherwise. With 0 each run compiles
    /// anew.
    #[doc(alias = "cache_size_limit")]
    pub fn capacity(self, capacity: usize) -> Self {
        Programs { capacity, ..self }
    }

    /// Leaves every variable unchanged: see [`Graph::compile_pure`].
    pub fn pure(self) -> Self {
        Programs { pure: true, ..self }
    }

    /// Runs the program for the shapes and types of these inputs. It is compiled if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::compile`], after which the next run tries again, and of [`Program::run`].
    pub fn run(
        &self,
        variables: &Variables,
        inputs: &[(&str, &dyn Feed)],
    ) -> Result<Outputs, Error> {
        let metas = inputs.iter().map(|(name, feed)| (*name, feed.feed().meta().clone()));
        self.program(metas)?.run(variables, inputs)
    }

    /// The program for inputs of these shapes and types, compiled if there is none: to
    /// [prepare](Program::prepare) it before the first run.
    ///
    /// # Errors
    ///
    /// Those of [`Graph::compile`]; [`RunError::RepeatedInput`].
    pub fn program<'n>(
        &self,
        inputs: impl IntoIterator<Item = (&'n str, Meta)>,
    ) -> Result<Arc<Program>, Error> {
        let mut inputs: Signature =
            inputs.into_iter().map(|(name, meta)| (name.to_owned(), meta)).collect();
        inputs.sort_by(|(a, _), (b, _)| a.cmp(b));
        if let Some(pair) = inputs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(RunError::RepeatedInput(pair[0].0.clone()).into());
        }
        if let Some(program) = self.known(&inputs) {
            return Ok(program);
        }
        // Other threads may run theirs in the meantime.
        let program = Arc::new(self.compiled(&inputs)?);
        Ok(self.keep(inputs, program))
    }

    fn compiled(&self, inputs: &[(String, Meta)]) -> Result<Program, Error> {
        let graph = Graph::new();
        let declared = Attribution::new(&graph, self.location);
        let inputs = inputs.iter().map(|(name, meta)| (&**name, meta));
        let inputs = Inputs::declared(&graph, inputs);
        drop(declared);
        let outputs = (self.trace)(&graph, &inputs);
        match self.pure {
            true => graph.compile_pure(&self.device, &outputs),
            false => graph.compile(&self.device, &outputs),
        }
    }
}

impl<F> Programs<F> {
    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The program for these inputs, which thereby becomes the one that was used last.
    fn known(&self, inputs: &[(String, Meta)]) -> Option<Arc<Program>> {
        let mut cache = self.lock();
        let Some(place) = cache.programs.iter().position(|(known, _)| known == inputs) else {
            cache.misses += 1;
            return None;
        };
        cache.hits += 1;
        cache.programs[place..].rotate_left(1);
        cache.programs.last().map(|(_, program)| program.clone())
    }

    /// Keeps a program, unless another thread was faster, and returns the one that is kept.
    fn keep(&self, inputs: Signature, program: Arc<Program>) -> Arc<Program> {
        let mut cache = self.lock();
        if let Some((_, known)) = cache.programs.iter().find(|(known, _)| *known == inputs) {
            return known.clone();
        }
        cache.programs.push((inputs, program.clone()));
        let excess = cache.programs.len().saturating_sub(self.capacity);
        let forgotten: Vec<_> = cache.programs.drain(..excess).collect();
        // What they hold is given back without the lock.
        drop(cache);
        drop(forgotten);
        program
    }

    /// Number of programs that are kept.
    pub fn len(&self) -> usize {
        self.lock().programs.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often a program was there.
    pub fn hits(&self) -> u64 {
        self.lock().hits
    }

    /// How often none was there, and one was compiled or could not be.
    pub fn misses(&self) -> u64 {
        self.lock().misses
    }

    /// Forgets all programs, and gives back what they hold on the device.
    pub fn clear(&self) {
        let forgotten = mem::take(&mut self.lock().programs);
        drop(forgotten);
    }
}

impl<F> fmt::Debug for Programs<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs")
            .field("device", &self.device.name())
            .field("programs", &self.len())
            .field("capacity", &self.capacity)
            .field("hits", &self.hits())
            .field("misses", &self.misses())
            .finish_non_exhaustive()
    }
}
