//! Every assembled shader is valid and declares the host's bindings; no adapter is needed.

use crate::{DType, Device, Error, Graph, Init, Tensor, gpu::BindingKind};
use naga::{AddressSpace, StorageAccess, front::wgsl, valid};

/// Text, overrides and bindings of every dispatch of `build`'s results.
fn check(
    build: impl for<'g> Fn(&'g Graph) -> Vec<Tensor<'g>>,
    expected: &[&str],
) -> Result<(), Error> {
    let graph = Graph::new();
    let outputs = build(&graph);
    let program = graph.compile(&Device::cpu(), &outputs)?;
    let shaders = program.shaders();
    assert_eq!(shaders.iter().map(|shader| shader.shader).collect::<Vec<_>>(), expected);
    for shader in &shaders {
        let text = &shader.text;
        let module = wgsl::parse_str(text).map_err(|e| e.emit_to_string(text)).expect("valid WGSL");
        valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::empty())
            .validate(&module)
            .map_err(|e| e.emit_to_string(text))
            .expect("a valid module");
        let mut declared = Vec::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(at) = &variable.binding else { continue };
            let kind = match variable.space {
                AddressSpace::Uniform => BindingKind::Uniform,
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    BindingKind::ReadWrite
                }
                _ => BindingKind::Read,
            };
            if kind == BindingKind::Uniform {
                let bytes = [shader.params.bytes(), &shader.slot_params][at.group as usize].len();
                let size = module.types[variable.ty].inner.size(module.to_ctx());
                assert_eq!(size as usize, bytes, "{text}");
            }
            declared.push((at.group, at.binding, kind));
        }
        declared.sort_by_key(|(group, binding, _)| (*group, *binding));
        let bound = shader.bindings.iter().map(|b| (b.group, b.binding, b.kind));
        assert_eq!(declared, bound.collect::<Vec<_>>(), "{text}");
        if let Ok(folder) = std::env::var("WGRAD_SHADERS") {
            // For inspection, and for compilers that are not linked here.
            let name = format!("{folder}/{}-{:016x}.wgsl", shader.shader, hash(text));
            std::fs::write(name, text).expect("the folder exists");
        }
    }
    Ok(())
}

fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_map_reads_through_indices_and_guards() -> Result<(), Error> {
    check(
        |graph| {
            let x = graph.input("x", [6, 5, 7], DType::F32);
            let bias = graph.input("bias", [7], DType::F32);
            let y = (x + bias).transpose([1, 2, 0]).pad([(1, 2), (0, 0), (3, 1)], 0.5);
            vec![y.exp()]
        },
        &["map"],
    )
}

#[test]
fn truth_values_are_words_in_memory() -> Result<(), Error> {
    check(
        |graph| {
            let x = graph.input("x", [100], DType::F32);
            let chosen = graph.input("chosen", [100], DType::Bool);
            vec![chosen.and(x.greater(x.full_like(0.5)))]
        },
        &["map"],
    )
}

#[test]
fn a_long_reduction_has_two_stages() -> Result<(), Error> {
    check(
        |graph| vec![(graph.input("x", [3, 100_000], DType::F32) * 2.0).amax(1) * 0.1],
        &["reduce_rows", "reduce_rows"],
    )?;
    check(
        |graph| vec![graph.input("x", [100_000, 64], DType::F32).sum(0)],
        &["reduce_serial", "reduce_rows"],
    )?;
    check(|graph| vec![graph.input("x", [9, 3], DType::I32).sum(1)], &["reduce_serial"])
}

#[test]
fn an_update_in_place_binds_one_buffer() -> Result<(), Error> {
    check(
        |graph| {
            let w = graph.variable("w", [10], DType::F32, Init::Constant(1.0));
            graph.assign(w, w * 0.5);
            vec![]
        },
        &["map"],
    )
}
