//! Learning rates: the code decides what they are, then the caller, and no file.

use crate::device;
use wgrad::{
    Array, DType, Device, Error, Graph, Init, Program, Tensor, VariableError, Variables,
    io::safetensors,
    nn::{Mode, Scope, mean_squared_error},
    optim::{Adam, Optimizer, OptimizerExt, Sgd},
};

/// A file that is removed at the end of a test.
struct File(std::path::PathBuf);

impl File {
    /// What the store holds.
    fn of(name: &str, variables: &Variables) -> Result<Self, Error> {
        let name = format!("wgrad-{}-{name}.safetensors", std::process::id());
        let path = std::env::temp_dir().join(name);
        safetensors::save(&path, variables, "")?;
        Ok(File(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A step on this many rows.
fn step(device: &Device, optimizer: &dyn Optimizer, rows: usize) -> Result<Program, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [1], Init::Constant(3.0));
    let p = p.broadcast_to([rows]);
    let loss = mean_squared_error(p, p.full_like(0.0));
    optimizer.update(&mut cx, loss);
    graph.compile(device, &[])
}

fn rate(variables: &Variables) -> Result<f32, Error> {
    Ok(variables.get("optim/lr")?.to_vec()?[0])
}

fn set(variables: &Variables, lr: f32) -> Result<(), Error> {
    variables.set("optim/lr", Array::scalar(lr))
}

fn conflict(result: Result<(), Error>) -> [f32; 2] {
    let Err(Error::Variable(VariableError::Setting { path, first, second })) = result else {
        unreachable!("{result:?}")
    };
    assert_eq!(path, "optim/lr");
    [first, second]
}

fn devices() -> impl Iterator<Item = Device> {
    [Device::cpu(), Device::Reference].into_iter().chain(device::gpu())
}

#[test]
fn the_code_decides_over_a_file_that_is_loaded_first_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let before = Variables::new(0);
        step(&device, &Sgd::new(0.5), 1)?.run(&before, &[])?;
        let file = File::of(&format!("first-{}", device.kind()), &before)?;
        let program = step(&device, &Sgd::new(0.125), 1)?;

        let variables = Variables::new(0);
        safetensors::load(&file.0, &variables)?;
        assert_eq!(rate(&variables)?, 0.5, "nobody has said anything else yet");
        program.prepare(&variables)?;
        assert_eq!([rate(&variables)?, variables.get("p")?.to_vec()?[0]], [0.125, 0.0]);
        // Again after the run: the parameter goes back, the rate stays.
        program.run(&variables, &[])?;
        set(&variables, 0.25)?;
        safetensors::load(&file.0, &variables)?;
        assert_eq!([rate(&variables)?, variables.get("p")?.to_vec()?[0]], [0.25, 0.0]);

        // What was set after loading is the caller's word.
        let variables = Variables::new(0);
        safetensors::load(&file.0, &variables)?;
        set(&variables, 0.25)?;
        program.run(&variables, &[])?;
        assert_eq!(rate(&variables)?, 0.25);
    }
    Ok(())
}

/// The step takes the rate of the store, whoever decided it.
#[test]
fn a_step_uses_the_rate_that_stands_on_cpu_and_gpu() -> Result<(), Error> {
    for device in devices() {
        let variables = Variables::new(0);
        let file = {
            let variables = Variables::new(0);
            step(&device, &Sgd::new(7.0), 1)?.prepare(&variables)?;
            File::of(&format!("uses-{}", device.kind()), &variables)?
        };
        safetensors::load(&file.0, &variables)?;
        // The gradient at 3 is 6.
        step(&device, &Sgd::new(0.25), 1)?.run(&variables, &[])?;
        assert_eq!(variables.get("p")?.to_f64(), [1.5], "{}", device.name());
    }
    Ok(())
}

#[test]
fn a_schedule_goes_on_in_a_program_for_another_batch() -> Result<(), Error> {
    let device = Device::cpu();
    let variables = Variables::new(0);
    let full = step(&device, &Adam::new(1e-3), 4)?;
    full.run(&variables, &[])?;
    set(&variables, 1e-4)?;
    let last = step(&device, &Adam::new(1e-3), 3)?;
    last.run(&variables, &[])?;
    full.run(&variables, &[])?;
    assert_eq!(rate(&variables)?, 1e-4);
    Ok(())
}

#[test]
fn two_rates_in_one_store_are_an_error() -> Result<(), Error> {
    for device in devices() {
        let variables = Variables::new(0);
        let one = step(&device, &Adam::new(1e-3), 1)?;
        one.run(&variables, &[])?;
        let paths = variables.paths();
        let other = step(&device, &Sgd::new(0.1).momentum(0.9), 1)?;
        assert_eq!(conflict(other.prepare(&variables)), [1e-3, 0.1]);
        assert_eq!(conflict(other.run(&variables, &[]).map(drop)), [1e-3, 0.1]);
        assert_eq!(variables.paths(), paths, "nothing of the other program is made");
        // Setting it changes the rate, not what the programs declare.
        set(&variables, 0.1)?;
        let error = other.prepare(&variables).expect_err("they still differ");
        let text = "setting \"optim/lr\" is 0.001 in another program over these variables, and 0.1 \
                    in this one: declare one value and change it by `Variables::set`, decide it \
                    by `Variables::insert`, or keep two, as `named` does for an optimizer";
        assert_eq!(error.to_string(), text);
        // The first goes on.
        one.run(&variables, &[])?;
        step(&device, &Sgd::new(0.1).momentum(0.9).named("sgd"), 1)?.run(&variables, &[])?;
    }
    Ok(())
}

#[test]
fn what_the_caller_inserts_stands() -> Result<(), Error> {
    let device = Device::cpu();
    let variables = Variables::new(0);
    variables.insert("optim/lr", Array::scalar(0.5f32))?;
    let [one, other] = [1e-3, 0.1].map(|lr| step(&device, &Sgd::new(lr), 1));
    let (one, other) = (one?, other?);
    one.run(&variables, &[])?;
    other.run(&variables, &[])?;
    assert_eq!(rate(&variables)?, 0.5);

    // Also where a program was first.
    let variables = Variables::new(0);
    one.run(&variables, &[])?;
    variables.insert("optim/lr", Array::scalar(0.5f32))?;
    other.run(&variables, &[])?;
    one.run(&variables, &[])?;
    assert_eq!(rate(&variables)?, 0.5);
    Ok(())
}

/// A graph may read the rate as a plain variable, before or after the optimizer's program.
#[test]
fn a_setting_that_is_read_elsewhere_is_still_the_codes() -> Result<(), Error> {
    let device = Device::cpu();
    let reads = |init| {
        let graph = Graph::new();
        let lr = graph.variable("optim/lr", [], DType::F32, init);
        graph.compile(&device, &[lr])
    };
    let (reader, program) = (reads(Init::Zeros)?, step(&device, &Sgd::new(0.1), 1)?);
    for first in [&reader, &program] {
        let variables = Variables::new(0);
        first.run(&variables, &[])?;
        program.run(&variables, &[])?;
        assert_eq!(reader.run(&variables, &[])?.read_blocking(0)?.to_vec::<f32>()?, [0.1]);
    }
    Ok(())
}

#[test]
fn a_graph_declares_a_setting_once() {
    let error = |build: fn(&Graph) -> [Tensor<'_>; 2]| {
        let graph = Graph::new();
        build(&graph);
        graph.check().err().map(|error| error.to_string())
    };
    assert_eq!(error(|g| [g.setting("lr", 0.5), g.setting("lr", 0.5)]), None);
    let plain = error(|g| [g.setting("lr", 0.5), g.variable("lr", [], DType::F32, Init::Zeros)]);
    assert!(plain.is_some_and(|text| text.starts_with("lr: initialized with Constant(0.5), and")));
    let twice = error(|g| [g.setting("lr", 0.5), g.setting("lr", 0.25)]);
    assert!(twice.is_some_and(|text| text.starts_with("lr: initialized with Constant(0.5), and")));
}

#[test]
fn only_what_exists_is_set() -> Result<(), Error> {
    let variables = Variables::new(0);
    let of = |path: &str, lr: f32| (path.to_owned(), Array::scalar(lr));
    let missing = |result: Result<(), Error>| {
        let Err(Error::Variable(VariableError::Missing { path, similar })) = result else {
            unreachable!("{result:?}")
        };
        (path, similar)
    };
    assert_eq!(missing(set(&variables, 1.0)), ("optim/lr".to_owned(), vec![]));
    step(&Device::cpu(), &Adam::new(0.5), 1)?.prepare(&variables)?;
    let paths = variables.paths();
    for wrong in ["optim.lr", "lr", "optim/lt"] {
        let (path, similar) = missing(variables.set_all([of("optim/lr", 1.0), of(wrong, 1.0)]));
        assert_eq!((path.as_str(), similar.as_slice()), (wrong, &["optim/lr".to_owned()][..]));
        assert_eq!((variables.paths(), rate(&variables)?), (paths.clone(), 0.5));
    }
    variables.insert_all([of("optim/lr", 0.25), of("mine", 1.0)])?;
    assert_eq!((rate(&variables)?, variables.paths().len()), (0.25, paths.len() + 1));
    Ok(())
}
