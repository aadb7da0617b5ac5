//! Reads that are awaited: by tasks that share a thread, in any order, or by nobody in the end.

use super::*;
use crate::{Outputs, Program, gpu::GpuDevice};
use std::{
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Condvar, Mutex},
    task::{Context, Poll, Wake, Waker},
};

/// An executor on this thread that polls a task only when it was woken.
#[derive(Default)]
struct Executor<'t> {
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()> + 't>>>>,
    woken: Arc<Woken>,
    /// How often each task was polled.
    polls: Vec<usize>,
}

#[derive(Default)]
struct Woken {
    tasks: Mutex<VecDeque<usize>>,
    any: Condvar,
}

struct TaskWaker {
    task: usize,
    woken: Arc<Woken>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.tasks.lock().expect("nothing panics").push_back(self.task);
        self.woken.any.notify_one();
    }
}

impl<'t> Executor<'t> {
    fn spawn(&mut self, task: impl Future<Output = ()> + 't) {
        self.woken.tasks.lock().expect("nothing panics").push_back(self.tasks.len());
        self.tasks.push(Some(Box::pin(task)));
        self.polls.push(0);
    }

    fn run(&mut self) {
        while self.tasks.iter().any(Option::is_some) {
            let mut woken = self.woken.tasks.lock().expect("nothing panics");
            let task = loop {
                match woken.pop_front() {
                    Some(task) => break task,
                    None => woken = self.woken.any.wait(woken).expect("nothing panics"),
                }
            };
            drop(woken);
            let waker = Waker::from(Arc::new(TaskWaker { task, woken: self.woken.clone() }));
            let Some(future) = &mut self.tasks[task] else { continue };
            self.polls[task] += 1;
            if future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                self.tasks[task] = None;
            }
        }
    }
}

/// Products of `n` by `n` matrices one after another, which take a while, and what is small of the last.
fn slow(gpu: &GpuDevice, n: usize) -> Result<(Program, Array), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [n, n], DType::F32);
    let y = (0..30).fold(x, |y, _| y.matmul(x));
    let device = Device::Gpu(gpu.clone().with_verification(Verification::Off));
    let program = graph.compile(&device, &[y.slice(0, 0..1).slice(1, 0..4), y])?;
    // A permutation of rows and columns: each power of it is exact.
    let one = |k: usize| if (k / n + 1) % n == k % n { 1.0f32 } else { 0.0 };
    Ok((program, Array::new([n, n], &(0..n * n).map(one).collect::<Vec<_>>())?))
}

/// The 31st power of the permutation moves the 1 of the first row to column 31.
fn assert_is_power(whole: &Array, n: usize) {
    let expected = |k: usize| f64::from(u8::from((k / n + 31) % n == k % n));
    assert!(whole.to_f64().iter().enumerate().all(|(k, &y)| y == expected(k)));
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A small result, which comes with its submission, and a large one, which is copied for its reader:
/// reading either leaves its thread to others.
#[test]
fn a_task_that_awaits_a_read_does_not_hold_up_its_thread() -> Result<(), Error> {
    // Another test that submits would keep this one from asking before its run is done.
    let Some(gpu) = own_device() else { return Ok(()) };
    let is_software = gpu.kind() == "software-gpu";
    for output in [0, 1] {
        // Some work is enough to be awaited, on a fast device too; on a busy machine it may be done
        // before anyone asks.
        let mut was_pending = false;
        let sizes: &[usize] =
            if is_software { &[256, 256, 512, 1024] } else { &[128, 256, 512, 1024, 2048, 4096] };
        for &n in sizes {
            let (program, x) = slow(&gpu, n)?;
            let run = || program.run(&Variables::new(0), &[("x", &x)]);
            let [_, _, outputs] = [run()?, run()?, run()?];
            let (log, read) = (Mutex::new(Vec::new()), Mutex::new(None));
            let note = |what: &'static str| log.lock().expect("nothing panics").push(what);
            let mut executor = Executor::default();
            executor.spawn(async {
                note("asked");
                *read.lock().expect("nothing panics") = Some(outputs.read(output).await);
                note("read");
            });
            executor.spawn(async { note("other") });
            executor.run();
            let polls = executor.polls.clone();
            drop(executor);
            // The first time, and when it was woken: once or twice, and not all the time.
            assert!(polls[0] <= 3, "polled {} times", polls[0]);
            let value = read.into_inner().expect("nothing panics").expect("it was read")?;
            if output == 1 {
                assert_is_power(&value, n);
            }
            was_pending = polls[0] > 1;
            if was_pending {
                let log = log.into_inner().expect("nothing panics");
                assert_eq!(log, ["asked", "other", "read"]);
                break;
            }
        }
        assert!(was_pending, "reading output {output} never let another task run");
    }
    Ok(())
}

/// `x + k` for several `k`, and a sum: small and large results.
fn shifted(gpu: &GpuDevice) -> Result<Program, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [20_000], DType::F32);
    let outputs = [x.slice(0, 0..3) + 1.0, x + 2.0, (x * 0.0 + 3.0).sum(..)];
    graph.compile(&Device::Gpu(gpu.clone()), &outputs)
}

fn run_shifted(program: &Program, k: u8) -> Result<Outputs, Error> {
    let x = Array::full([20_000], f32::from(k))?;
    program.run(&Variables::new(0), &[("x", &x)])
}

fn assert_shifted(got: &Array, output: usize, k: u8) {
    let expected = [f64::from(k) + 1.0, f64::from(k) + 2.0, 60_000.0][output];
    assert!(got.to_f64().iter().all(|&y| y == expected), "output {output} of run {k}");
}

/// Each result by two tasks, the last run first, and some of them polled but once.
#[test]
fn reads_in_any_order_are_those_of_their_runs() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    let program = shifted(gpu)?;
    let runs = (0..4).map(|k| run_shifted(&program, k)).collect::<Result<Vec<_>, _>>()?;
    let errors = Mutex::new(Vec::new());
    let read = Mutex::new(0);
    let mut executor = Executor::default();
    for k in [3u8, 1, 2, 0] {
        for output in [1, 0, 2, 0, 1, 2] {
            let outputs = &runs[usize::from(k)];
            {
                let abandoned = pin!(outputs.read(output));
                let _ = poll_once(abandoned);
            }
            let (read, errors) = (&read, &errors);
            executor.spawn(async move {
                match outputs.read(output).await {
                    Ok(got) => {
                        assert_shifted(&got, output, k);
                        *read.lock().expect("nothing panics") += 1;
                    }
                    Err(error) => errors.lock().expect("nothing panics").push(error),
                }
            });
        }
    }
    executor.run();
    drop(executor);
    let errors = errors.into_inner().expect("nothing panics");
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(read.into_inner().expect("nothing panics"), 24);
    Ok(())
}

/// A blocking read on the thread of a task that awaits the same result.
#[test]
fn a_pending_read_keeps_nobody_from_reading() -> Result<(), Error> {
    let Some(gpu) = device() else { return Ok(()) };
    for n in [128, 256] {
        let (program, x) = slow(gpu, n)?;
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        for output in [0, 1] {
            let mut pending = pin!(outputs.read(output));
            let first = poll_once(pending.as_mut());
            let read = outputs.read_blocking(output)?;
            if output == 1 {
                assert_is_power(&read, n);
            }
            let awaited = match first {
                Poll::Ready(awaited) => awaited?,
                Poll::Pending => pollster::block_on(pending)?,
            };
            assert_eq!(awaited, read);
        }
    }
    Ok(())
}

/// Reads that nobody waits for any longer leave their buffers to others, and what comes after them
/// is right.
#[test]
fn an_abandoned_read_loses_nothing() -> Result<(), Error> {
    let Some(gpu) = own_device() else { return Ok(()) };
    let program = shifted(&gpu)?;
    let idle = || gpu.shared.staging.lock().expect("nothing panics").len();
    // Everything there is to create.
    for _ in 0..2 {
        let outputs = run_shifted(&program, 1)?;
        assert_shifted(&outputs.read_blocking(1)?, 1, 1);
    }
    let (before, kept) = (gpu.counters(), idle());
    for k in 0..12 {
        let outputs = run_shifted(&program, k)?;
        for output in [0, 1, 2, 1] {
            let abandoned = pin!(outputs.read(output));
            let _ = poll_once(abandoned);
        }
        if k % 3 == 2 {
            assert_shifted(&outputs.read_blocking(1)?, 1, k);
            assert_shifted(&pollster::block_on(outputs.read(0))?, 0, k);
        }
    }
    gpu.wait_idle()?;
    let after = gpu.counters();
    assert_eq!((after.buffers, idle()), (before.buffers, kept));
    // A small result is mapped where nobody unmaps it, but for the run that uses its memory again.
    let (program, x) = slow(&gpu, 128)?;
    for _ in 0..5 {
        let outputs = program.run(&Variables::new(0), &[("x", &x)])?;
        let _ = poll_once(pin!(outputs.read(0)));
        gpu.wait_idle()?;
    }
    Ok(())
}

/// A task that is dropped when it is woken has the last handle: the device goes on the thread that
/// woke it.
#[test]
fn the_last_handle_may_go_with_a_task() -> Result<(), Error> {
    type Task = Pin<Box<dyn Future<Output = Result<Array, Error>> + Send>>;
    #[derive(Default)]
    struct Dropping {
        task: Mutex<Option<Task>>,
        was_woken: Condvar,
    }
    impl Wake for Dropping {
        fn wake(self: Arc<Self>) {
            // The lock is that of the thread that polls until the task is in its place.
            let mut task = self.task.lock().expect("nothing panics");
            let gone = task.take();
            drop(gone);
            self.was_woken.notify_one();
        }
    }
    let Some(gpu) = own_device() else { return Ok(()) };
    let shared = Arc::downgrade(&gpu.shared);
    let (program, x) = slow(&gpu, 256)?;
    let value = program.run(&Variables::new(0), &[("x", &x)])?.get(1)?.clone();
    drop((program, gpu));
    let dropping = Arc::new(Dropping::default());
    let waker = Waker::from(dropping.clone());
    let mut place = dropping.task.lock().expect("nothing panics");
    let mut task: Task = Box::pin(async move { value.read().await });
    if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        *place = Some(task);
        drop(dropping.was_woken.wait_while(place, |task| task.is_some()).expect("nothing panics"));
    } else {
        drop(task);
    }
    assert_eq!(shared.strong_count(), 0);
    Ok(())
}
