//! Files that do not fit a model: what is loaded in part, and what the error says.

use wgrad::{
    Array, DType, Device, Error, FileError, Graph, Init, LoadReport, Meta, Variables,
    io::{safetensors, state_dict, state_dict::Load},
};

/// Tensors of a model: name and shape, filled with 7.
type Tensors<'a> = &'a [(&'a str, &'a [usize])];

/// A file of these tensors, which is removed at the end of a test.
struct File(std::path::PathBuf);

impl File {
    fn of(name: &str, tensors: Tensors<'_>) -> Result<Self, Error> {
        let variables = Variables::new(0);
        for (name, dims) in tensors {
            let sevens = vec![7f32; dims.iter().product()];
            variables.insert(name, Array::new(*dims, &sevens)?)?;
        }
        let name = format!("wgrad-{}-{name}.safetensors", std::process::id());
        let path = std::env::temp_dir().join(name);
        safetensors::save(&path, &variables, "")?;
        Ok(File(path))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A convolution and a head, with a setting and a random state below the prefix, and a variable
/// beside it.
fn model(graph: &Graph) {
    graph.variable("net/0:conv/weight", [4, 3], DType::F32, Init::Zeros);
    graph.variable("net/0:conv/bias", [4], DType::F32, Init::Zeros);
    graph.variable("net/fc/weight", [2, 4], DType::F32, Init::Zeros);
    graph.setting("net/rate", 0.5);
    graph.variable("step", [], DType::F32, Init::Zeros);
}

/// What the model needs.
const GOOD: Tensors = &[("0.weight", &[4, 3]), ("0.bias", &[4]), ("fc.weight", &[2, 4])];

const PATHS: [&str; 3] = ["net/0:conv/bias", "net/0:conv/weight", "net/fc/weight"];

/// Loads a file into a new store.
fn loaded(file: &File, load: &Load) -> Result<(LoadReport, Variables), Error> {
    let (graph, variables) = (Graph::new(), Variables::new(0));
    model(&graph);
    let report = load.load(&file.0, &graph, "net/", &variables)?;
    assert_eq!(variables.paths(), report.loaded);
    for path in &report.loaded {
        assert!(variables.get(path)?.to_f64().iter().all(|&x| x == 7.0), "{path}");
    }
    Ok((report, variables))
}

/// The text of the error, without the file.
fn refused(file: &File, load: &Load) -> String {
    let error = loaded(file, load).expect_err("it does not fit").to_string();
    error.strip_prefix(&format!("{} does not fit: ", file.0.display())).expect(&error).to_owned()
}

#[test]
fn a_file_that_fits_is_loaded() -> Result<(), Error> {
    let file = File::of("fits", GOOD)?;
    let (report, _) = loaded(&file, &Load::new())?;
    assert!(report.is_complete());
    assert_eq!(
        (report.loaded.as_slice(), report.to_string().as_str()),
        (&PATHS.map(str::to_owned)[..], "3 variables loaded")
    );
    // Counters of batches, settings and random states may be there.
    let more = [GOOD, &[("bn.num_batches_tracked", &[]), ("rate", &[])]].concat();
    assert!(loaded(&File::of("more", &more)?, &Load::new())?.0.is_complete());
    // So are the paths that are written here.
    let paths: Tensors =
        &[("0:conv/weight", &[4, 3]), ("0:conv/bias", &[4]), ("fc/weight", &[2, 4])];
    assert!(loaded(&File::of("paths", paths)?, &Load::new())?.0.is_complete());
    Ok(())
}

#[test]
fn all_that_does_not_fit_is_named() -> Result<(), Error> {
    let tensors: Tensors = &[("0.weight", &[4, 1]), ("head.weight", &[9]), ("fc.weight", &[2, 4])];
    let file = File::of("named", tensors)?;
    let text = "missing: 0.bias [4] f32 for net/0:conv/bias; unexpected: head.weight [9] f32; \
                mismatched: 0.weight is [4, 1] f32, not [4, 3] f32 as net/0:conv/weight";
    assert_eq!(refused(&file, &Load::new()), text);
    // Without being strict, another shape is still an error, as in PyTorch.
    assert_eq!(refused(&file, &Load::new().strict(false)), text);
    let (report, _) = loaded(&file, &Load::new().strict(false).allow_mismatched(true))?;
    assert_eq!(report.loaded, ["net/fc/weight"]);
    let lines = text.replace("; ", "\n");
    assert_eq!(report.to_string(), format!("1 variable loaded\n{lines}"));
    let mismatched = &report.mismatched[0];
    let (expected, is) = (Meta::new([4, 3], DType::F32), Meta::new([4, 1], DType::F32));
    assert_eq!((&mismatched.expected, &mismatched.is), (&expected, &is));
    Ok(())
}

#[test]
fn parts_are_loaded_by_prefix_name_and_choice() -> Result<(), Error> {
    let tensors: Tensors = &[
        ("backbone.conv1.weight", &[4, 3]),
        ("backbone.conv1.bias", &[4]),
        ("backbone.fc.weight", &[1000, 4]),
        ("neck.weight", &[5]),
    ];
    let file = File::of("parts", tensors)?;
    let renamed = || Load::new().prefix("backbone.").rename(|name| name.replace("conv1", "0"));
    let text = "mismatched: backbone.fc.weight is [1000, 4] f32, not [2, 4] f32 as net/fc/weight";
    assert_eq!(refused(&file, &renamed()), text);
    let (report, _) = loaded(&file, &renamed().skip(|name| name.starts_with("fc.")))?;
    assert_eq!(report.loaded, PATHS[..2]);
    assert!(report.is_complete(), "{report}");
    // Two tensors of one name.
    let both = Load::new().rename(|_| "fc.weight".to_owned());
    let error = loaded(&file, &both).expect_err("one variable").to_string();
    assert!(
        error.ends_with(": backbone.conv1.bias and backbone.conv1.weight both become fc.weight"),
        "{error}"
    );
    Ok(())
}

#[test]
fn missing_variables_are_initialized_and_extra_tensors_left_out() -> Result<(), Error> {
    let tensors: Tensors = &[("0.weight", &[4, 3]), ("extra", &[1])];
    let file = File::of("lax", tensors)?;
    let text = "missing: 0.bias [4] f32 for net/0:conv/bias, fc.weight [2, 4] f32 for net/fc/weight; \
                unexpected: extra [1] f32";
    assert_eq!(refused(&file, &Load::new()), text);
    let (report, variables) = loaded(&file, &Load::new().strict(false))?;
    assert_eq!((report.loaded.len(), report.missing.len(), report.unexpected.len()), (1, 2, 1));
    let graph = Graph::new();
    let bias = graph.variable("net/0:conv/bias", [4], DType::F32, Init::Ones);
    graph.compile(&Device::cpu(), &[bias])?.prepare(&variables)?;
    assert_eq!(variables.get("net/0:conv/bias")?.to_f64(), [1.0; 4]);
    Ok(())
}

/// The store may hold what another program made of other shapes; nothing is changed.
#[test]
fn a_store_that_does_not_fit_stays_as_it_is() -> Result<(), Error> {
    let file = File::of("store", GOOD)?;
    let (graph, variables) = (Graph::new(), Variables::new(0));
    model(&graph);
    variables.insert("net/fc/weight", Array::new([3], &[1f32; 3])?)?;
    variables.insert("net/0:conv/bias", Array::new([4], &[2f32; 4])?)?;
    let before = variables.to_arrays()?;
    let error = state_dict::load(&file.0, &graph, "net/", &variables).expect_err("[3]");
    let Error::File(FileError::Mismatch { report, .. }) = error else { unreachable!("{error:?}") };
    let text =
        "0 variables loaded\nmismatched: fc.weight is [2, 4] f32, not [3] f32 as net/fc/weight";
    assert_eq!((report.to_string().as_str(), variables.to_arrays()?), (text, before));
    let lax = Load::new().allow_mismatched(true).load(&file.0, &graph, "net/", &variables)?;
    assert_eq!(lax.loaded, PATHS[..2]);
    assert_eq!(variables.get("net/fc/weight")?.to_f64(), [1.0; 3]);
    Ok(())
}

/// A checkpoint of all variables: each that does not fit is named, and nothing is changed.
#[test]
fn a_checkpoint_of_other_shapes_is_refused_as_a_whole() -> Result<(), Error> {
    let file = File::of("checkpoint", GOOD)?;
    let variables = Variables::new(0);
    for (path, len) in [("0.bias", 4), ("0.weight", 5), ("fc.weight", 6)] {
        variables.insert(path, Array::new([len], &vec![1f32; len])?)?;
    }
    let before = variables.to_arrays()?;
    let error = safetensors::load(&file.0, &variables).expect_err("[12] is not [4, 3]").to_string();
    let text =
        "mismatched: 0.weight is [4, 3] f32, not [5] f32, fc.weight is [2, 4] f32, not [6] f32";
    assert_eq!(error, format!("{} does not fit: {text}", file.0.display()));
    assert_eq!(variables.to_arrays()?, before);
    Ok(())
}
