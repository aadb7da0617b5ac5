//! Waits that stay awake until what they wait for is there, as those for hardware begin.

use super::*;
use std::time::Duration;

/// With endless patience nothing but what is waited for ends a wait.
#[test]
fn being_awake_is_enough() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let awake = GpuDevice { patience: Duration::MAX, ..gpu.clone() };
    let graph = Graph::new();
    let x = graph.input("x", [20_000], DType::F32);
    // The first result is copied when it is read, the second one with the run.
    let program = graph.compile(&Device::Gpu(awake.clone()), &[x + 1.0, x.sum(..)])?;
    let rounds = |count: u8| {
        let variables = Variables::new(0);
        for k in 0..count {
            let x = Array::full([20_000], f32::from(k))?;
            let (timed, time) = program.run_timed(&variables, &[("x", &x)])?;
            assert!(time.wall > Duration::ZERO);
            let outputs = program.run(&variables, &[("x", &x)])?;
            awake.wait_idle()?;
            for outputs in [timed, outputs] {
                let whole = outputs.read_blocking(0)?.to_f64();
                assert!(whole.iter().all(|&y| y == f64::from(k) + 1.0), "{k}");
                assert_eq!(outputs.scalar(1)?, 20_000.0 * f64::from(k));
            }
        }
        Ok::<_, Error>(())
    };
    rounds(2)?;
    std::thread::scope(|scope| {
        let threads = [3, 3].map(|count| {
            scope.spawn({
                let rounds = &rounds;
                move || rounds(count)
            })
        });
        threads.into_iter().try_for_each(|thread| thread.join().expect("it does not panic"))
    })
}
