//! Threads that train on one device end with the bits of serial runs, in whatever order their steps come.

use std::sync::{
    Barrier, Condvar, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use wgrad::{
    Array, CompileError, DType, Device, DeviceError, Error, Graph, Init, Outputs, Program,
    RunError, VariableError, Variables,
    nn::{self, Activation, Dense, Dropout, Mode, Module, Scope, Sequential},
    optim::{Adam, Optimizer},
};

/// The CPU, and the GPU of the process where there is one: all tests here share them.
fn devices() -> &'static [Device] {
    static DEVICES: OnceLock<Vec<Device>> = OnceLock::new();
    DEVICES.get_or_init(|| [Device::cpu()].into_iter().chain(crate::device::gpu()).collect())
}

/// Where threads meet; one that leaves, by an error too, keeps nobody waiting.
#[derive(Default)]
struct Meet {
    state: Mutex<Meeting>,
    changed: Condvar,
}

#[derive(Default)]
struct Meeting {
    members: usize,
    waiting: usize,
    /// How often all have met.
    round: usize,
}

/// The place of a thread.
struct Member<'m>(&'m Meet);

impl Meet {
    fn of<const N: usize>(&self) -> [Member<'_>; N] {
        self.state.lock().expect("nothing panics").members = N;
        [(); N].map(|()| Member(self))
    }

    fn go_on_if_all_are_here(&self, meeting: &mut Meeting) {
        if meeting.waiting >= meeting.members {
            meeting.waiting = 0;
            meeting.round += 1;
            self.changed.notify_all();
        }
    }
}

impl Member<'_> {
    fn wait(&self) {
        let mut meeting = self.0.state.lock().expect("nothing panics");
        let round = meeting.round;
        meeting.waiting += 1;
        self.0.go_on_if_all_are_here(&mut meeting);
        let meeting = self.0.changed.wait_while(meeting, |meeting| meeting.round == round);
        drop(meeting.expect("nothing panics"));
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut meeting = self.0.state.lock().expect("nothing panics");
        meeting.members -= 1;
        self.0.go_on_if_all_are_here(&mut meeting);
    }
}

/// Steps of a training.
const STEPS: u32 = 6;

/// A step of regression with Adam and dropout.
fn step(device: &Device, width: usize) -> Result<Program, Error> {
    let graph = Graph::new();
    let x = graph.input("x", [8, 4], DType::F32);
    let mut cx = Scope::new(&graph, Mode::Train);
    let net = Sequential::new()
        .add(Dense::new(width))
        .add(Activation::tanh())
        .add(Dropout::new(0.25))
        .add(Dense::new(2));
    let y = net.forward(&mut cx.child("net"), x);
    let loss = nn::mean_squared_error(y, x.slice(1, 0..2));
    Adam::new(0.02).update(&mut cx, loss);
    // More than is copied within the submission.
    let large = (y.sum(..) * 0.0 + loss).broadcast_to([130, 130]);
    graph.compile(device, &[("loss", loss), ("large", large)])
}

fn batch(k: u32) -> Array {
    let values: Vec<f32> = (0..32).map(|i| ((i * 7 + k * 5) % 11) as f32 / 8.0 - 0.5).collect();
    Array::new([8, 4], &values).expect("as many as there are")
}

fn run(program: &Program, variables: &Variables, k: u32) -> Result<Outputs, Error> {
    program.run(variables, &[("x", &batch(k))])
}

/// What a training gives: the losses, and all variables.
type Trained = (Vec<Array>, Vec<(String, Array)>);

/// Trains from this seed; `before` is called ahead of each step and `after` once it is submitted.
fn trained(
    program: &Program,
    seed: u64,
    before: &dyn Fn(u32),
    after: &dyn Fn(u32, &Outputs),
) -> Result<Trained, Error> {
    let variables = Variables::new(seed);
    let mut losses = Vec::new();
    for k in 0..STEPS {
        before(k);
        let outputs = run(program, &variables, k)?;
        after(k, &outputs);
        losses.push(outputs.read_blocking("loss")?);
        let large = outputs.read_blocking("large")?;
        assert!(large.words().iter().all(|word| word == &losses[k as usize].words()[0]));
    }
    Ok((losses, variables.to_arrays()?))
}

fn serial(device: &Device, width: usize, seed: u64) -> Result<Trained, Error> {
    trained(&step(device, width)?, seed, &|_| (), &|_, _| ())
}

/// Runs both at once.
fn both<T: Send>(
    one: impl FnOnce() -> Result<T, Error> + Send,
    other: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<(T, T), Error> {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        Ok((one.join().expect("it does not panic")?, other?))
    })
}

/// Four threads that go ahead freely, two of which have the same kernels.
fn threads_that_run_freely(device: &Device) -> Result<(), Error> {
    let widths = [5usize, 9, 5, 16];
    let expected = (0..4).map(|t| serial(device, widths[t], t as u64)).collect::<Vec<_>>();
    let start = Barrier::new(4);
    std::thread::scope(|scope| {
        let train = |t: usize| {
            start.wait();
            trained(&step(device, widths[t])?, t as u64, &|_| (), &|_, _| ())
        };
        let threads: Vec<_> = (0..4).map(|t| scope.spawn(move || train(t))).collect();
        for (thread, expected) in threads.into_iter().zip(expected) {
            assert_eq!(thread.join().expect("it does not panic")?, expected?);
        }
        Ok(())
    })
}

#[test]
fn threads_that_run_freely_have_the_bits_of_serial_runs_on_cpu_and_gpu() -> Result<(), Error> {
    devices().iter().try_for_each(threads_that_run_freely)
}

/// Steps in turn; and both submitted before either is read.
#[test]
fn threads_in_lockstep_have_the_bits_of_serial_runs_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let expected = (serial(device, 5, 1)?, serial(device, 9, 2)?);
        let programs = &(step(device, 5)?, step(device, 9)?);
        for in_turn in [true, false] {
            let meet = Meet::default();
            let [one, other] = meet.of();
            // In turn, each reads while the other submits; else both have a run in flight.
            let got = both(
                move || {
                    let before = |k| {
                        if in_turn && k > 0 {
                            one.wait();
                        }
                    };
                    let trained = trained(&programs.0, 1, &before, &|_, _| one.wait());
                    before(STEPS);
                    trained
                },
                move || {
                    let before = |_| {
                        if in_turn {
                            other.wait();
                        }
                    };
                    trained(&programs.1, 2, &before, &|_, _| other.wait())
                },
            )?;
            assert_eq!(got, expected, "in turn: {in_turn}");
        }
    }
    Ok(())
}

/// One thread trains; at each step the other compiles a program of the same and of other kernels, runs
/// it, and drops it while the first has a run in flight.
#[test]
fn programs_come_and_go_beside_a_training_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let expected = serial(device, 5, 1)?;
        let program = step(device, 5)?;
        let meet = Meet::default();
        let [one, other] = meet.of();
        let (got, ()) = std::thread::scope(|scope| {
            let trains = scope.spawn(|| {
                let one = one;
                trained(&program, 1, &|_| one.wait(), &|_, _| one.wait())
            });
            let comes_and_goes = move || {
                for k in 0..STEPS {
                    other.wait();
                    let program = step(device, 5 + k as usize % 3)?;
                    other.wait();
                    let left = run(&program, &Variables::new(7), k)?;
                    let again = run(&program, &Variables::new(7), k)?;
                    // Its memory is that of others from here on.
                    drop(program);
                    if k % 2 == 0 {
                        drop(left);
                    } else {
                        let loss = left.read_blocking("loss")?;
                        assert_eq!(again.read_blocking("loss")?, loss);
                        let large = left.read_blocking("large")?;
                        assert!(large.words().iter().all(|word| word == &loss.words()[0]));
                    }
                }
                Ok::<(), Error>(())
            };
            let other = comes_and_goes();
            Ok::<_, Error>((trains.join().expect("it does not panic")?, other?))
        })?;
        assert_eq!(got, expected);
    }
    Ok(())
}

/// One program, and a store for each thread.
#[test]
fn threads_share_a_program_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let program = step(device, 5)?;
        let expected = (serial(device, 5, 1)?, serial(device, 5, 2)?);
        let meet = Meet::default();
        let [one, other] = meet.of();
        // Each submits while a result of the other is in flight.
        let train = |seed, member: Member| trained(&program, seed, &|_| (), &|_, _| member.wait());
        assert_eq!(both(|| train(1, one), || train(2, other))?, expected);
        let free = |seed| trained(&program, seed, &|_| (), &|_, _| ());
        assert_eq!(both(|| free(1), || free(2))?, expected);
    }
    Ok(())
}

/// Over one store runs come one after another: each sees what one before it left, and no two the same.
#[test]
fn threads_share_a_store_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let count = |large: usize| {
            let graph = Graph::new();
            let count = graph.variable("count", [large], DType::F32, Init::Zeros);
            graph.assign(count, count + 1.0);
            graph.compile(device, &[("before", count.slice(0, 0..1)), ("all", count)])
        };
        let (program, variables) = (count(100)?, Variables::new(0));
        let start = Barrier::new(3);
        let mut seen = Vec::new();
        std::thread::scope(|scope| {
            let counts = || {
                start.wait();
                let runs = (0..10).map(|_| program.run(&variables, &[]));
                let runs = runs.collect::<Result<Vec<_>, _>>()?;
                let befores = runs.iter().map(|outputs| {
                    let all = outputs.read_blocking("all")?;
                    assert!(all.words().iter().all(|word| word == &all.words()[0]));
                    outputs.scalar("before")
                });
                befores.collect::<Result<Vec<f64>, Error>>()
            };
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(counts)).collect();
            start.wait();
            // A third one looks on: it never sees half a run.
            for _ in 0..10 {
                if let Ok(now) = variables.get("count") {
                    assert!(now.words().iter().all(|word| word == &now.words()[0]));
                }
            }
            for thread in threads {
                let befores = thread.join().expect("it does not panic")?;
                assert!(befores.is_sorted(), "{befores:?}");
                seen.extend(befores);
            }
            Ok::<(), Error>(())
        })?;
        seen.sort_by(f64::total_cmp);
        assert_eq!(seen, (0..20).map(f64::from).collect::<Vec<_>>());
        assert_eq!(variables.get("count")?.to_f64(), [20.0; 100]);
    }
    Ok(())
}

/// Whatever one thread does wrong is its error, and no other thread's.
#[test]
fn an_error_is_that_of_its_thread_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let expected = serial(device, 5, 1)?;
        let (program, meet) = (step(device, 5)?, Meet::default());
        let [one, other] = meet.of();
        let errors = AtomicUsize::new(0);
        let wrong = |k: u32| -> Result<(), Error> {
            let graph = Graph::new();
            match k % 4 {
                // Too much memory, as far as the device has a limit.
                0 => {
                    let x = graph.input("x", [1 << 15, 1 << 15], DType::F32);
                    match graph.compile(device, &[x.cumsum(0)]) {
                        Err(Error::Device(
                            DeviceError::Limit { .. } | DeviceError::OutOfMemory { .. },
                        ))
                        | Err(Error::Compile(CompileError::BindingTooLarge { .. }))
                        | Ok(_) => {}
                        Err(error) => return Err(error),
                    }
                }
                1 => {
                    let missing = program.run(&Variables::new(0), &[]);
                    assert!(matches!(missing, Err(Error::Run(RunError::MissingInput { .. }))));
                }
                2 => {
                    let variables = Variables::new(0);
                    variables.insert("net/0:dense/weight", Array::from(1.0f32))?;
                    let other = run(&program, &variables, k);
                    let is_other =
                        matches!(other, Err(Error::Variable(VariableError::Mismatch { .. })));
                    assert!(is_other);
                }
                _ => {
                    graph.check_finite();
                    let x = graph.input("x", [4], DType::F32);
                    let infinite = graph.compile(device, &[1.0 / x])?;
                    let zeros = Array::from([0.0f32; 4]);
                    let found = infinite.run(&Variables::new(0), &[("x", &zeros)]);
                    assert!(matches!(found, Err(Error::Run(RunError::NotFinite(_)))));
                }
            }
            errors.fetch_add(1, Ordering::Relaxed);
            Ok(())
        };
        let (got, ()) = std::thread::scope(|scope| {
            let trains = scope.spawn(|| {
                let one = one;
                trained(&program, 1, &|_| one.wait(), &|_, _| ())
            });
            let errs = (0..STEPS).map(|k| {
                other.wait();
                wrong(k)
            });
            let outcomes: Vec<_> = errs.collect();
            let trained = trains.join().expect("it does not panic")?;
            Ok::<_, Error>((trained, outcomes.into_iter().collect::<Result<(), Error>>()?))
        })?;
        assert_eq!(got, expected);
        assert_eq!(errors.load(Ordering::Relaxed), STEPS as usize);
    }
    Ok(())
}

/// A thread that reads all the time leaves the device to others, which end; and so does one that never
/// reads.
#[test]
fn nobody_is_kept_waiting_for_ever_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let expected = serial(device, 9, 2)?;
        let (program, other) = (step(device, 5)?, step(device, 9)?);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let busy = |reads: bool| {
                let (program, done) = (&program, &done);
                move || {
                    let variables = Variables::new(1);
                    let mut k = 0;
                    while !done.load(Ordering::Relaxed) {
                        let outputs = run(program, &variables, k)?;
                        if reads {
                            outputs.read_blocking("large")?;
                            variables.get("net/0:dense/weight")?;
                        }
                        k += 1;
                    }
                    Ok::<(), Error>(())
                }
            };
            let threads = [true, false].map(|reads| scope.spawn(busy(reads)));
            let got = trained(&other, 2, &|_| (), &|_, _| ());
            done.store(true, Ordering::Relaxed);
            for thread in threads {
                thread.join().expect("it does not panic")?;
            }
            assert_eq!(got?, expected);
            Ok::<(), Error>(())
        })?;
        // The runs that nobody reads: SwiftShader may crash if the process ends before them.
        if let Device::Gpu(gpu) = device {
            gpu.wait_idle()?;
        }
    }
    Ok(())
}
