//! Races in shaders, found on the host.

pub use crate::gpu::simulate::{Access, DispatchReport, Hazard, Invocation, Report};

use crate::{
    error::{Error, RunError},
    gpu::simulate::check_plan,
    program::Program,
};

/// Executes every dispatch of a program on the host, in every variant of its kernels, and reports
/// what a device may hide: races, barriers that not all reach, reads of workgroup memory that
/// nobody has written, and indices past an end.
///
/// No adapter is needed. The shaders run on seeded operands of the shapes of the program. Of each
/// dispatch the first two workgroups, one in the middle and the last are followed, fewer if they
/// take much work: see [`Report::is_capped`] and [`Report::unfinished`].
///
/// ```
/// use wgrad::{DType, Device, Graph, testing};
///
/// let graph = Graph::new();
/// let x = graph.input("x", [3, 700], DType::F32);
/// let program = graph.compile(&Device::cpu(), &[x.softmax(1)])?;
/// for dispatch in testing::races(&program)? {
///     assert!(dispatch.report.hazards.is_empty(), "{dispatch}");
/// }
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// # Errors
///
/// [`RunError::NotPlanned`] for a program of the reference device;
/// [`SimulationError`](crate::SimulationError) if a shader is not valid, or uses what the simulation
/// does not know.
pub fn races(program: &Program) -> Result<Vec<DispatchReport>, Error> {
    Ok(check_plan(program.plan().ok_or(RunError::NotPlanned)?)?)
}
