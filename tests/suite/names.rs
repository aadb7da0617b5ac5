//! Outputs by position and by name, as one number, and what is said of those that are not there.

use crate::device;
use wgrad::{
    Array, CompileError, DType, Device, Error, Graph, Meta, Outputs, RunError, Tensor, Variables,
};

fn devices() -> impl Iterator<Item = Device> {
    [Device::cpu(), Device::Reference].into_iter().chain(device::gpu())
}

fn why<T>(result: Result<T, Error>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

#[test]
fn outputs_have_the_names_that_they_are_given() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [2, 2], DType::F32);
    let (loss, squares) = (x.sum(..), x * x);
    graph.watch("watched", x);
    let named: Vec<(String, Tensor<'_>)> =
        vec![("loss".to_owned(), loss), ("squares".to_owned(), squares)];
    let array = Array::from([[1.0f32, 2.0], [3.0, 4.0]]);
    for device in devices() {
        let run = |program: wgrad::Program| -> Result<Outputs, Error> {
            program.run(&Variables::new(0), &[("x", &array)])
        };
        let program = graph.compile(&device, &[("loss", loss), ("squares", squares)])?;
        assert_eq!(program.output_names(), ["loss", "squares"]);
        assert_eq!(program.outputs(), [loss.meta(), squares.meta()]);
        for outputs in [run(program)?, run(graph.compile_pure(&device, &named)?)?] {
            assert_eq!(outputs.scalar("loss")?, 10.0);
            assert_eq!(outputs.scalar(0)?, 10.0);
            assert_eq!(outputs.get("loss")?.scalar()?, 10.0);
            let squared = Array::from([[1.0f32, 4.0], [9.0, 16.0]]);
            assert_eq!(outputs.read_blocking("squares")?, squared);
            assert_eq!(outputs.read_blocking(1)?, squared);
            assert_eq!(outputs.values().len(), 2);
            assert_eq!(why(outputs.scalar("squares")), "[2, 2] f32 is not a single number");
            let known = "there is no output \"los\"; named outputs: \"loss\", \"squares\"";
            assert_eq!(why(outputs.get("los")), known);
            // A watched tensor is no output.
            assert!(outputs.get("watched").is_err() && outputs.watched("watched").is_ok());
            let outside = Error::from(RunError::NoOutput { index: 2, len: 2 }).to_string();
            assert_eq!(why(outputs.get(2)), outside);
            assert_eq!(
                why(outputs.scalar(usize::MAX)).split(" does ").nth(1),
                outside.split(" does ").nth(1)
            );
        }
        let unnamed = graph.compile(&device, &[loss])?;
        assert!(unnamed.output_names().is_empty());
        let error = why(run(unnamed)?.scalar("loss"));
        assert_eq!(error, "there is no output \"loss\"; they were compiled without names");
        // Effects alone: nothing says whether it is a list of tensors or of names.
        assert!(why(run(graph.compile(&device, &[])?)?.get(0)).contains("the program has 0"));
    }
    Ok(())
}

#[test]
fn a_name_is_of_one_output() {
    let graph = Graph::new();
    let x = graph.full([], DType::F32, 1.0);
    let names = [("loss", x), ("accuracy", x), ("loss", x + 1.0)];
    let error = graph.compile(&Device::cpu(), &names).expect_err("a name is given twice");
    assert!(matches!(error, Error::Compile(CompileError::RepeatedOutput { .. })));
    assert_eq!(
        error.to_string(),
        "output \"loss\" is named twice; names of the outputs: \"loss\", \"accuracy\", \"loss\""
    );
    // One tensor may have two names.
    assert!(graph.compile(&Device::cpu(), &names[..2]).is_ok());
}

#[test]
fn any_single_element_is_a_number() -> Result<(), Error> {
    for device in devices() {
        let graph = Graph::new();
        let x = graph.input("x", [1, 1], DType::U32);
        let none = graph.full([0], DType::F32, 0.0);
        let large = x + x.full_like(3_000_000_000.0);
        let program = graph.compile(&device, &[("x", x), ("none", none), ("large", large)])?;
        let outputs = program.run(&Variables::new(0), &[("x", &Array::from([[7u32]]))])?;
        assert_eq!(outputs.scalar("x")?, 7.0);
        assert_eq!(outputs.scalar("large")?, 3_000_000_007.0);
        let error = outputs.scalar("none").expect_err("there is no element");
        let is = Meta::new([0], DType::F32);
        assert!(
            matches!(error, Error::Run(RunError::NotASingleNumber { is: found }) if found == is)
        );
    }
    // Unrounded where the device knows more than f32 does.
    let graph = Graph::new();
    let third = graph.full([], DType::F32, 1.0) / 3.0;
    let program = graph.compile(&Device::Reference, &[third])?;
    assert_eq!(program.run(&Variables::new(0), &[])?.scalar(0)?, 1.0 / 3.0);
    Ok(())
}

/// The only one of these that a machine without a GPU can see is that it says what it looked for.
#[test]
fn a_gpu_is_the_one_of_the_command_line() -> Result<(), Error> {
    match (Device::gpu(), device::gpu()) {
        (Ok(found), Some(selected)) => {
            assert_eq!((found.name(), found.kind()), (selected.name(), selected.kind()));
            assert!(matches!(found, Device::Gpu(_)));
        }
        (found, selected) => {
            assert!(selected.is_none());
            let error = found.expect_err("none was selected either").to_string();
            assert!(error.contains("graphics adapter") || error.contains("memory"), "{error}");
        }
    }
    Ok(())
}

#[test]
fn a_missing_gpu_says_what_was_found() {
    let message = |found: &[&str]| {
        let found = found.iter().map(|name| (*name).to_owned()).collect();
        wgrad::DeviceError::NoAdapter { found }.to_string()
    };
    let none = message(&[]);
    assert!(none.contains("Vulkan, Metal, DX12 or GL") && none.contains("use the cpu"), "{none}");
    let some = message(&["A (gl) has no compute shaders", "B (vulkan) has 4 storage buffers"]);
    assert!(
        some.ends_with("A (gl) has no compute shaders; B (vulkan) has 4 storage buffers"),
        "{some}"
    );
}
