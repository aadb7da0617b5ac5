//! The device interface used by the rest of the crate.
//!
//! To add a device, create a folder that implements [`Backend`] and [`Executable`], a variant of
//! [`Device`](crate::Device), and a line in `lib.rs`.

use crate::{
    error::Error,
    graph::{Graph, NodeId},
    ops::precision::MatrixUnits,
    resident::Resident,
    schedule::plan::Plan,
    shape::Meta,
    value::Fed,
    variables::Store,
};
use std::{fmt, sync::Arc, time::Duration};

/// A device that compiles programs.
pub(crate) trait Backend {
    /// Human-readable name.
    fn name(&self) -> String;

    /// Machine-readable kind: see [`Device::kind`](crate::Device::kind).
    fn kind(&self) -> &'static str;

    /// Identifies the arithmetic that its results come from: see [`Device::numerics`](crate::Device::numerics).
    fn numerics(&self) -> String;

    /// Its matrix units, the preferred ones first; plans for it may have products on them.
    fn matrix_units(&self) -> Vec<MatrixUnits>;

    /// Whether plans for it have the gradients of a layer's weight and bias from one kernel.
    fn pairs_grads(&self) -> bool;

    /// Number of bytes that an element of f16 takes in its memory.
    fn half_bytes(&self) -> usize;

    /// Whether it has a memory of its own, which is not that of the host.
    fn has_own_memory(&self) -> bool {
        false
    }

    /// Whether so many bytes of its memory can be allocated: they are, and given back.
    fn can_allocate(&self, bytes: u64) -> bool {
        let _ = bytes;
        true
    }

    /// The largest tensor in bytes that a kernel can read; `None` for a device whose memory is that of the
    /// host.
    fn largest_binding(&self) -> Option<u64> {
        None
    }

    /// Creates a program that interprets the graph as built; `None` if the device runs plans.
    fn interpret(&self, graph: &Graph, outputs: &[NodeId], effects: bool) -> Option<Compiled>;

    /// Compiles a program that runs a plan.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) if the device cannot run it;
    /// [`RunError::NotPlanned`](crate::RunError::NotPlanned) if it does not run plans.
    fn compile(&self, plan: Arc<Plan>) -> Compiled;
}

/// A program, or the reason why it could not be compiled.
pub(crate) type Compiled = Result<Box<dyn Executable>, Error>;

/// A program of a device.
pub(crate) trait Executable: fmt::Debug + Send + Sync {
    /// Names and types of its inputs, ordered by name.
    fn inputs(&self) -> &[(String, Meta)];

    /// Initializes missing variables and moves all to the device, along with everything else that
    /// the first run would allocate.
    ///
    /// # Errors
    ///
    /// [`VariableError`](crate::VariableError), [`DeviceError`](crate::DeviceError).
    fn prepare(&self, store: &mut Store) -> Result<(), Error>;

    /// Runs once; the results may still be in flight when this returns. The inputs are in the order
    /// of [`inputs`](Self::inputs) and have the same types.
    ///
    /// # Errors
    ///
    /// [`RunError::ForeignValue`](crate::RunError::ForeignValue) if an input lives on another
    /// device; those of [`prepare`](Self::prepare).
    fn run(&self, store: &mut Store, inputs: &[Fed<'_>]) -> Result<Results, Error>;

    /// Runs once, waits for the results, and returns the elapsed time.
    ///
    /// # Errors
    ///
    /// Same as [`run`](Self::run).
    #[cfg(not(target_arch = "wasm32"))]
    fn run_timed(
        &self,
        store: &mut Store,
        inputs: &[Fed<'_>],
    ) -> Result<(Results, RunTime), Error> {
        let begin = std::time::Instant::now();
        let results = self.run(store, inputs)?;
        Ok((results, RunTime { wall: begin.elapsed(), device: None }))
    }
}

/// Results of a run, in the order of the requested outputs.
pub(crate) type Results = Vec<Arc<dyn Resident>>;

/// Duration of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunTime {
    /// From the call until the results are available, measured on the host.
    pub wall: Duration,
    /// From the start of the first dispatch to the end of the last, measured by GPU timestamps if
    /// supported.
    pub device: Option<Duration>,
}
