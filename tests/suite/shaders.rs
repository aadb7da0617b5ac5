//! Every shader, as it is given to a driver, goes through the gates; no adapter is needed.
//!
//! The text assembled for every sample of every operation and for training steps is validated,
//! translated to what each kind of driver takes, and compared with what the host binds. The files
//! themselves keep the form that readers rely on.
#![expect(clippy::panic, reason = "a gate that is not passed is a failed test")]

use crate::model;
use naga::{
    AddressSpace, Expression, Module, ScalarKind, ShaderStage, StorageAccess, TypeInner, back,
    front, valid,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};
use wgrad::{
    DType, Device, Error, Graph,
    data::digits,
    gpu::{Assembly, BindingKind},
    optim::{Adam, Optimizer, Sgd},
    testing::samples,
    train::Trainer,
};

/// One assembly of each kind: those with the same text, overrides and bindings look alike at
/// every gate.
static ASSEMBLIES: LazyLock<Vec<Assembly>> = LazyLock::new(|| {
    let assemblies = assemblies().unwrap_or_else(|error| panic!("not compiled: {error}"));
    let mut known = HashSet::new();
    let is_new = |assembly: &Assembly| {
        let overrides = assembly.overrides.iter().map(|&(name, value)| (name, value.to_bits()));
        known.insert((
            assembly.text.clone(),
            overrides.collect::<Vec<_>>(),
            bound(assembly),
            [assembly.params.bytes().len(), assembly.slot_params.len()],
        ))
    };
    assemblies.into_iter().filter(is_new).collect()
});

fn assemblies() -> Result<Vec<Assembly>, Error> {
    let (device, data, network) = (Device::cpu(), digits::load()?, model::network());
    let mut assemblies = Vec::new();
    for sample in samples() {
        assemblies.extend(sample.shaders(false)?);
    }
    // Files that only other variants than the preferred ones have.
    let preferred: HashSet<&str> = assemblies.iter().map(|assembly| assembly.shader).collect();
    for sample in samples() {
        let variants = sample.shaders(true)?.into_iter();
        assemblies.extend(variants.filter(|assembly| !preferred.contains(assembly.shader)));
    }
    for optimizer in [&Adam::new(2e-3) as &dyn Optimizer, &Sgd::new(0.1).momentum(0.9)] {
        let step = Trainer::classifier(&network, optimizer).step(&device, &data, model::BATCH)?;
        assemblies.extend(step.shaders());
    }
    Ok(assemblies)
}

/// How a text begins that is for matrix units. HLSL and WGSL's standard have none, and naga's MSL
/// loads matrices through pointers to scalars only.
const FOR_UNITS: &str = "enable f16; enable wgpu_cooperative_matrix; ";

fn is_for_units(assembly: &Assembly) -> bool {
    assembly.text.starts_with(FOR_UNITS)
}

/// No text but those of two files is spared a gate.
#[test]
fn only_products_on_matrix_units_are_spared_a_gate() {
    let mut spared = 0;
    for assembly in ASSEMBLIES.iter() {
        let uses_units = assembly.text.contains("coop");
        assert_eq!(is_for_units(assembly), uses_units, "{}", assembly.label);
        let of_units = ["matmul_units", "convolution_units"].contains(&assembly.shader);
        assert_eq!(uses_units, of_units, "{}", assembly.label);
        spared += usize::from(uses_units);
    }
    assert!(spared > 0);
    eprintln!(
        "{spared} of {} shaders are not translated to MSL and HLSL, nor shown to tint",
        ASSEMBLIES.len()
    );
}

/// Group, number and kind of everything that the host binds.
fn bound(assembly: &Assembly) -> Vec<(u32, u32, BindingKind)> {
    assembly.bindings.iter().map(|b| (b.group, b.binding, b.kind)).collect()
}

fn parse(Assembly { label, text, .. }: &Assembly) -> Module {
    let parsed = front::wgsl::parse_str(text);
    parsed.unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(text)))
}

/// Nothing that an adapter may lack is asked for, but f16 and matrix units where the first line says so.
fn validate(Assembly { label, text, .. }: &Assembly, module: &Module) -> valid::ModuleInfo {
    let flags = valid::ValidationFlags::all();
    let capabilities = match text.starts_with("enable f16; ") {
        true => valid::Capabilities::SHADER_FLOAT16,
        false => valid::Capabilities::empty(),
    };
    let of_units = match text.starts_with(FOR_UNITS) {
        true => valid::Capabilities::COOPERATIVE_MATRIX,
        false => valid::Capabilities::empty(),
    };
    let info = valid::Validator::new(flags, capabilities | of_units).validate(module);
    info.unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(text)))
}

/// Whether a compiler may round an expression last in a product: one that is written, a quotient, or
/// what a function returns that does not choose between its arguments.
fn may_be_product(
    module: &Module,
    function: &naga::Function,
    expression: naga::Handle<Expression>,
) -> bool {
    use naga::{BinaryOperator as B, MathFunction as M, UnaryOperator};
    let again = |inner: &naga::Handle<Expression>| may_be_product(module, function, *inner);
    match &function.expressions[expression] {
        Expression::Binary { op, .. } => matches!(op, B::Multiply | B::Divide | B::Modulo),
        Expression::Unary { op: UnaryOperator::Negate, expr } => again(expr),
        Expression::Select { accept, reject, .. } => again(accept) || again(reject),
        Expression::CallResult(called) => {
            let name = module.functions[*called].name.as_deref();
            !matches!(name, Some("max_or_nan" | "min_or_nan"))
        }
        Expression::Math { fun, .. } => !matches!(
            fun,
            M::Abs | M::Min | M::Max | M::Floor | M::Ceil | M::Round | M::Trunc | M::Sign
        ),
        _ => false,
    }
}

/// A driver may contract `a * b + c`, so that a sum depends on whether its terms are stored as well.
/// In what the host appends, no sum sees a product.
#[test]
fn sums_see_no_products() {
    let mut sums = 0;
    for assembly in ASSEMBLIES.iter() {
        let module = parse(assembly);
        let info = validate(assembly, &module);
        for (handle, function) in module.functions.iter() {
            let name = function.name.as_deref().unwrap_or_default();
            let is_appended =
                ["map", "element", "epilogue"].contains(&name) || name.starts_with("store_");
            if !is_appended {
                continue;
            }
            let is_float = |expression: naga::Handle<Expression>| {
                let inner = info[handle][expression].ty.inner_with(&module.types);
                matches!(inner, TypeInner::Scalar(scalar) if scalar.kind == ScalarKind::Float)
            };
            for (sum, expression) in function.expressions.iter() {
                use naga::BinaryOperator::{Add, Subtract};
                let Expression::Binary { op: Add | Subtract, left, right } = *expression else {
                    continue;
                };
                if is_float(sum) {
                    let seen =
                        [left, right].into_iter().any(|x| may_be_product(&module, function, x));
                    assert!(!seen, "{}: {name} of\n{}", assembly.label, assembly.text);
                    sums += 1;
                }
            }
            let adds_up =
                assembly.text.contains("fn combine(a: Acc, b: Acc) -> Acc { return a + b; }");
            if let (true, "element", Some(naga::Statement::Return { value: Some(value) })) =
                (adds_up, name, function.body.last())
                && is_float(*value)
            {
                assert!(
                    !may_be_product(&module, function, *value),
                    "{}\n{}",
                    assembly.label,
                    assembly.text
                );
                sums += 1;
            }
        }
    }
    assert!(sums > 500, "only {sums}");
}

#[test]
fn naga_accepts_every_shader() {
    for shader in ASSEMBLIES.iter() {
        validate(shader, &parse(shader));
    }
    eprintln!("{} different shaders", ASSEMBLIES.len());
}

/// With the values that the host gives to overrides, which workgroup memory depends on.
#[test]
fn every_backend_translates_every_shader() {
    for shader in ASSEMBLIES.iter() {
        let module = parse(shader);
        let info = validate(shader, &module);
        let values = shader.overrides.iter().map(|&(name, value)| (name.to_owned(), value));
        let main = Some((ShaderStage::Compute, "main"));
        let fixed =
            back::pipeline_constants::process_overrides(&module, &info, main, &values.collect());
        let (module, info) = fixed.unwrap_or_else(|error| panic!("{}: {error}", shader.label));
        let mut failures = vec![("SPIR-V", to_spirv(&module, &info).err())];
        if !is_for_units(shader) {
            failures.push(("MSL", to_msl(&module, &info).err()));
            failures.push(("HLSL", to_hlsl(&module, &info).err()));
        }
        for (language, failure) in failures {
            assert_eq!(failure, None, "{language}: {}\n{}", shader.label, shader.text);
        }
    }
}

fn to_spirv(module: &Module, info: &valid::ModuleInfo) -> Result<(), String> {
    let words = back::spv::write_vec(module, info, &back::spv::Options::default(), None);
    words.map(|_| ()).map_err(|error| error.to_string())
}

fn to_msl(module: &Module, info: &valid::ModuleInfo) -> Result<(), String> {
    let (options, pipeline) = (back::msl::Options::default(), Default::default());
    let written = back::msl::write_string(module, info, &options, &pipeline);
    let (_, translated) = written.map_err(|error| error.to_string())?;
    let mut entries = translated.entry_point_names.into_iter();
    entries.try_for_each(|entry| entry.map(drop).map_err(|error| error.to_string()))
}

fn to_hlsl(module: &Module, info: &valid::ModuleInfo) -> Result<(), String> {
    let (options, pipeline) = (back::hlsl::Options::default(), Default::default());
    let mut text = String::new();
    let written = back::hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
    let mut entries = written.map_err(|error| error.to_string())?.entry_point_names.into_iter();
    entries.try_for_each(|entry| entry.map(drop).map_err(|error| error.to_string()))
}

/// The compiler of Chromium, which rejects what naga lets through: barriers that not everybody
/// reaches, for one.
#[test]
fn tint_accepts_every_shader() {
    if Command::new("tint").arg("--help").output().is_err() {
        return eprintln!("skipped: there is no command `tint`");
    }
    // A run of it takes one file, so that every text costs a process.
    let shown = ASSEMBLIES.iter().filter(|assembly| !is_for_units(assembly));
    let texts: BTreeMap<&str, &Assembly> = shown.map(|a| (&*a.text, a)).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tint");
    fs::create_dir_all(&folder).expect("cargo made the folder around it");
    for (number, (text, shader)) in texts.into_iter().enumerate() {
        let file = folder.join(format!("{number}.wgsl"));
        fs::write(&file, text).expect("the folder can be written");
        let run = Command::new("tint").args(["--format", "wgsl"]).arg(&file).output();
        let run = run.expect("it ran before");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && said.is_empty(), "{}: {said}\n{text}", shader.label);
    }
}

#[test]
fn shaders_declare_what_the_host_binds() {
    for shader in ASSEMBLIES.iter() {
        let Assembly { label, text, .. } = shader;
        let module = parse(shader);
        let mut declared = Vec::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(at) = variable.binding else { continue };
            let kind = match variable.space {
                AddressSpace::Uniform => BindingKind::Uniform,
                AddressSpace::Storage { access } if access == StorageAccess::LOAD => {
                    BindingKind::Read
                }
                AddressSpace::Storage { .. } => BindingKind::ReadWrite,
                space => panic!("{label}: a binding in {space:?}\n{text}"),
            };
            if kind == BindingKind::Uniform {
                let bytes = [shader.params.bytes(), &shader.slot_params][at.group as usize].len();
                let (end, span) = extent(&module, variable.ty);
                assert_eq!(end, bytes, "{label}: bytes of {:?}\n{text}", variable.name);
                // The host binds whole units of 16 bytes.
                assert!(span <= bytes.next_multiple_of(16), "{label}: {span} of {bytes} bytes");
            }
            declared.push((at.group, at.binding, kind));
        }
        declared.sort_by_key(|&(group, binding, _)| (group, binding));
        assert_eq!(declared, bound(shader), "{label}\n{text}");
        let buffers = declared.iter().filter(|(.., kind)| *kind != BindingKind::Uniform).count();
        assert!(buffers <= 7, "{label}: {buffers} storage buffers; Metal has 8 and wgpu takes one");
    }
}

/// The host names the fields of `Params` as the file does, and puts them where the file reads them.
#[test]
fn params_are_those_of_the_file() {
    let mut named = BTreeSet::new();
    // The sample of a fragment brings a text of its own, as those of other crates do: no file has it.
    for shader in ASSEMBLIES.iter().filter(|assembly| assembly.shader != "index_division") {
        let module = parse(shader);
        let is_params = |ty: &naga::Type| ty.name.as_deref() == Some("Params");
        let (_, params) = module.types.iter().find(|(_, ty)| is_params(ty)).expect("it has Params");
        let TypeInner::Struct { members, .. } = &params.inner else { panic!("{params:?}") };
        let of_file = members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize));
        let of_host = shader.params.fields().iter().copied();
        assert!(of_file.eq(of_host), "{}: {members:?}, not {:?}", shader.label, shader.params);
        named.insert(shader.shader);
    }
    assert_eq!(named.len(), kernel_files().len(), "{named:?}");
}

/// Where the last member of a structure ends, and its size with what is put behind that.
fn extent(module: &Module, structure: naga::Handle<naga::Type>) -> (usize, usize) {
    let TypeInner::Struct { members, span } = &module.types[structure].inner else {
        panic!("{:?} is no structure", module.types[structure])
    };
    let end = members
        .last()
        .map_or(0, |member| member.offset + module.types[member.ty].inner.size(module.to_ctx()));
    (end as usize, *span as usize)
}

/// But those that follow from others.
#[test]
fn the_host_sets_every_override_and_no_other() {
    for shader in ASSEMBLIES.iter() {
        let module = parse(shader);
        let is_literal = |value| matches!(module.global_expressions[value], Expression::Literal(_));
        let declared = module.overrides.iter().filter(|(_, o)| o.init.is_none_or(is_literal));
        let declared = declared.filter_map(|(_, o)| o.name.as_deref());
        let set = shader.overrides.iter().map(|&(name, _)| name);
        let (declared, set) = (declared.collect::<BTreeSet<_>>(), set.collect::<BTreeSet<_>>());
        assert_eq!(set, declared, "{}: set, and declared", shader.label);
    }
}

/// A product has a kernel of large tiles and one of small ones, of which the preferred one comes first.
#[test]
fn variants_of_a_kernel_are_other_shaders_for_the_same_work() -> Result<(), Error> {
    let graph = Graph::new();
    let [a, b] = [("a", [300, 200]), ("b", [200, 100])]
        .map(|(name, shape)| graph.input(name, shape, DType::F32));
    let program = graph.compile_pure(&Device::cpu(), &[(a + b.sum(..)).matmul(b)])?;
    let described = |shader: &Assembly| (shader.text.clone(), format!("{:?}", shader.overrides));
    let preferred: Vec<_> = program.shaders().iter().map(described).collect();
    let mut variants: Vec<_> = program.shader_variants().iter().map(described).collect();
    assert!(variants.len() > preferred.len(), "{} variants", variants.len());
    let mut next = preferred.iter().peekable();
    variants.retain(|variant| next.next_if(|preferred| *preferred == variant).is_some());
    assert_eq!(variants, preferred);
    Ok(())
}

/// The bits, or a decimal that some compilers round past the largest float. Literals beyond that
/// and divisions by zero are errors in WGSL; infinity and NaN can only be made at run time.
#[test]
fn no_shader_writes_infinity_or_nan() {
    for Assembly { label, text, .. } in ASSEMBLIES.iter() {
        for line in text.lines() {
            let code = line.split("//").next().unwrap_or_default();
            let mut casts = code.split("bitcast<f32>(").skip(1);
            assert!(!casts.any(|rest| rest.starts_with(char::is_numeric)), "{label}: {line}");
            let tokens = code.split(|c: char| !c.is_alphanumeric() && !".+_".contains(c));
            for number in tokens.filter(|token| token.starts_with(char::is_numeric)) {
                let number = number.trim_end_matches('f').parse::<f64>();
                let is_largest = number.is_ok_and(|x| x >= f64::from(f32::MAX));
                assert!(!is_largest, "{label}: {line}");
            }
        }
    }
}

/// Path and text of every file of a folder, and of the folders in it.
fn files(folder: impl AsRef<Path>) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).expect("the folder is part of the crate");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let (folders, paths): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let read = |path: PathBuf| (path.clone(), fs::read_to_string(path).expect("it is text"));
    let mut found: Vec<_> = paths.into_iter().map(read).collect();
    found.extend(folders.into_iter().flat_map(files));
    found.sort();
    found
}

/// The files of operations and of the schedule.
fn kernel_files() -> Vec<(PathBuf, String)> {
    let mut kernels = files("shaders");
    let others = ["lib", "ceilings", "guards"].map(|folder| Path::new("shaders").join(folder));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    kernels.retain(|(path, _)| !others.iter().any(|other| path.starts_with(root.join(other))));
    kernels
}

/// The words before opening parentheses outside of comments: the functions that a text calls, and
/// after `fn` those that it declares.
fn before_parentheses(text: &str) -> impl Iterator<Item = (bool, String)> {
    let code: Vec<_> = text.lines().filter_map(|line| line.split("//").next()).collect();
    let code = code.join("\n");
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
    let parts: Vec<_> = code
        .split('(')
        .map(|before| {
            let rest = before.trim_end_matches(is_of_word);
            (rest.trim_end().ends_with("fn"), before[rest.len()..].to_owned())
        })
        .collect();
    parts.into_iter()
}

/// The functions that a text declares.
fn declared_in(text: &str) -> BTreeSet<String> {
    before_parentheses(text).filter(|(is_declared, _)| *is_declared).map(|(_, name)| name).collect()
}

/// The fragments of which a text calls a function.
fn fragments_called_in(text: &str) -> Vec<String> {
    let called: BTreeSet<String> = before_parentheses(text).map(|(_, name)| name).collect();
    let foreign: BTreeSet<String> = called.difference(&declared_in(text)).cloned().collect();
    let called = files("shaders/lib")
        .into_iter()
        .filter(|(_, fragment)| !declared_in(fragment).is_disjoint(&foreign));
    called.map(|(path, _)| path.file_stem().unwrap_or_default().display().to_string()).collect()
}

/// The shaders that measure ceilings and those that guard others are outside of every plan: they are
/// given to the driver as they are, but for what `bench::ceilings` puts in front and behind.
#[test]
fn shaders_outside_of_plans_are_valid_and_translate() {
    use valid::Capabilities;
    const MATRIX: &str = "enable f16; enable wgpu_cooperative_matrix; ";
    let with = |name: &str| -> Vec<(&str, &str, Capabilities)> {
        match name {
            "fma.wgsl" => vec![
                ("", "alias Elem = f32;", Capabilities::empty()),
                ("enable f16; ", "alias Elem = f16;", Capabilities::SHADER_FLOAT16),
            ],
            "matrix.wgsl" => {
                let units = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
                vec![(MATRIX, "", units)]
            }
            _ => vec![("", "", Capabilities::empty())],
        }
    };
    let [ceilings, guards] =
        ["ceilings", "guards"].map(|folder| files(format!("shaders/{folder}")));
    assert_eq!((ceilings.len(), guards.len()), (7, 1));
    for (path, text) in ceilings.into_iter().chain(guards) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        for (front, behind, capabilities) in with(&name) {
            let text = format!("{front}{text}\n{behind}\n");
            let parsed = front::wgsl::parse_str(&text);
            let module = parsed.unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&text)));
            let flags = valid::ValidationFlags::all();
            let info = valid::Validator::new(flags, capabilities).validate(&module);
            let info = info.unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&text)));
            let main = Some((ShaderStage::Compute, "main"));
            let values = Default::default();
            let fixed = back::pipeline_constants::process_overrides(&module, &info, main, &values);
            let (module, info) = fixed.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(to_spirv(&module, &info), Ok(()), "{name}");
            // Units for matrices are reached through Vulkan alone.
            if front != MATRIX {
                assert_eq!(to_msl(&module, &info), Ok(()), "{name}");
                assert_eq!(to_hlsl(&module, &info), Ok(()), "{name}");
            }
        }
    }
}

/// Nothing is put in front of a file but `enable` directives, so that its line numbers are those
/// of the compiler's messages.
#[test]
fn every_file_is_in_some_shader() {
    for (path, text) in kernel_files() {
        let is_of_it = |shader: &&Assembly| path.ends_with(format!("{}.wgsl", shader.shader));
        let of_it: Vec<_> = ASSEMBLIES.iter().filter(is_of_it).collect();
        assert!(!of_it.is_empty(), "{} is unused", path.display());
        for Assembly { label, text: assembled, .. } in of_it {
            let front = assembled.split_once(&text).map(|(front, _)| front);
            assert!(front.is_some_and(|front| !front.contains('\n')), "{label}\n{assembled}");
        }
    }
    for (path, text) in files("shaders/lib") {
        assert!(ASSEMBLIES.iter().any(|a| a.text.contains(&text)), "{} is unused", path.display());
    }
}

/// Name and purpose; then keys, each known, at most once, and aligned with what they say.
#[test]
fn every_file_begins_with_its_header() {
    const KEYS: [&str; 8] =
        ["Op", "Lib", "Slot", "Shape", "Dispatch", "Memory", "Numerics", "Source"];
    let (fragments, kernels) = (files("shaders/lib"), kernel_files());
    for (path, text) in files("shaders") {
        let file = path.file_name().unwrap_or_default().display();
        let mut header = text.lines().take_while(|line| line.starts_with("//"));
        let purpose = header.next().and_then(|line| line.strip_prefix(&format!("// {file} — ")));
        assert!(purpose.is_some_and(|purpose| purpose.ends_with('.')), "{file}: no purpose");
        assert_eq!(header.next(), Some("//"), "{file}: its purpose is one line");
        let (mut keys, mut called) = (Vec::new(), Vec::new());
        for line in header {
            let (key, value) = line.split_at_checked("// Numerics  ".len()).unwrap_or_default();
            let is_continued = key.trim() == "//" && !keys.is_empty();
            let known = KEYS.iter().find(|name| key == format!("// {name:<10}"));
            assert!(is_continued || known.is_some(), "{file}: {line}");
            assert!(!value.is_empty() && !value.starts_with(' '), "{file}: {line}");
            assert!(!keys.iter().any(|key| known == Some(key)), "{file}: {line} again");
            keys.extend(known);
            if keys.last() == Some(&"Lib") {
                called.extend(value.trim_end_matches(',').split(", ").map(str::to_owned));
            }
        }
        if kernels.iter().any(|(kernel, _)| *kernel == path) {
            assert_eq!(called, fragments_called_in(&text), "{file}: Lib says what it calls");
        }
        let is_fragment = fragments.iter().any(|(fragment, _)| *fragment == path);
        let required: &[_] = if is_fragment { &["Numerics"] } else { &["Op", "Shape", "Dispatch"] };
        assert!(required.iter().all(|key| keys.contains(key)), "{file} has {keys:?}");
    }
}

#[test]
fn every_barrier_says_what_it_protects() {
    for (path, text) in files("shaders") {
        for (number, line) in text.lines().enumerate() {
            let (code, comment) = line.split_once("//").unwrap_or((line, ""));
            let is_silent = code.contains("Barrier(") && comment.trim().is_empty();
            assert!(!is_silent, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}
