//! What the rest of the crate knows of a device.
//!
//! A new device is a folder that implements [`Backend`] and [`Executable`], a variant of
//! [`Device`](crate::Device), and a line in `lib.rs`.

use crate::{
    error::Error,
    graph::{Graph, NodeId},
    resident::Resident,
    schedule::plan::Plan,
    shape::Meta,
    value::Fed,
    variables::Store,
};
use std::{fmt, sync::Arc, time::Duration};

/// A device: it makes programs.
pub(crate) trait Backend {
    /// Its name, for people.
    fn name(&self) -> String;

    /// Its kind, for machines: see [`Device::kind`](crate::Device::kind).
    fn kind(&self) -> &'static str;

    /// A program that interprets the graph as it was built; `None` where the device runs plans.
    fn interpret(&self, graph: &Graph, outputs: &[NodeId], effects: bool) -> Option<Compiled>;

    /// A program that runs a plan.
    ///
    /// # Errors
    ///
    /// [`CompileError`](crate::CompileError) where the device cannot run it;
    /// [`RunError::NotPlanned`](crate::RunError::NotPlanned) where it runs no plans.
    fn compile(&self, plan: Arc<Plan>) -> Compiled;
}

/// A program, or why there is none.
pub(crate) type Compiled = Result<Box<dyn Executable>, Error>;

/// A program of a device.
pub(crate) trait Executable: fmt::Debug + Send + Sync {
    /// Names and types of its inputs, in order of name.
    fn inputs(&self) -> &[(String, Meta)];

    /// Makes the missing variables and moves all to the device, with everything else that the
    /// first run would make.
    ///
    /// # Errors
    ///
    /// [`VariableError`](crate::VariableError), [`DeviceError`](crate::DeviceError).
    fn prepare(&self, store: &mut Store) -> Result<(), Error>;

    /// Runs once; the results may be on their way when this returns. The inputs are in the order of
    /// [`inputs`](Self::inputs) and have their types.
    ///
    /// # Errors
    ///
    /// [`RunError::ForeignValue`](crate::RunError::ForeignValue) where an input lives on another
    /// device; those of [`prepare`](Self::prepare).
    fn run(&self, store: &mut Store, inputs: &[Fed<'_>]) -> Result<Results, Error>;

    /// Runs once, waits for the results, and says how long that took.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
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

/// Results of a run, in the order they were asked for.
pub(crate) type Results = Vec<Arc<dyn Resident>>;

/// How long a run took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunTime {
    /// From the call until the results were there, by the clock of the host.
    pub wall: Duration,
    /// From the beginning of the first dispatch to the end of the last, by the clock of a GPU that has
    /// one.
    pub device: Option<Duration>,
}
