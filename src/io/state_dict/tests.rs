use super::*;
use crate::{Array, DType, FileError, Init, Meta};

/// Loads a variable declared as `dtype` from a file with these values.
fn loaded(name: &str, values: &Array, dtype: DType) -> Result<Array, Error> {
    let path = std::env::temp_dir().join(format!("wgrad-{}-{name}", std::process::id()));
    safetensors::write(&path, &[("w".to_owned(), values.clone())], None)?;
    let (graph, store) = (Graph::new(), Variables::new(0));
    graph.variable("w", values.shape(), dtype, Init::Zeros);
    let result = load(&path, &graph, "", &store);
    std::fs::remove_file(&path).expect("it was written");
    result.and_then(|()| store.get("w"))
}

#[test]
fn values_become_the_declared_type_where_they_fit() -> Result<(), Error> {
    let half = Array::from_f64(Meta::new([3], DType::F16), &[0.5, -2.0, 65504.0])?;
    let single = loaded("half", &half, DType::F32)?;
    assert_eq!((single.dtype(), single.to_f64()), (DType::F32, half.to_f64()));
    let rounded = loaded("single", &Array::new([2], &[0.1f32, -7.0])?, DType::F16)?;
    assert_eq!(rounded.to_f64(), [0.1, -7.0].map(|x| DType::F16.round(x)));
    let counts = loaded("counts", &Array::new([2], &[7i32, 0])?, DType::U32)?;
    assert_eq!((counts.dtype(), counts.to_f64()), (DType::U32, vec![7.0, 0.0]));
    Ok(())
}

/// Dropout and noise use random states that are neither loaded from nor saved to files.
#[test]
fn random_numbers_are_of_no_model() -> Result<(), Error> {
    let path = std::env::temp_dir().join(format!("wgrad-{}-noise", std::process::id()));
    let (graph, store) = (Graph::new(), Variables::new(0));
    let w = graph.variable("w", [2], DType::F32, Init::Ones);
    let y = w + graph.normal([2]);
    graph.compile(&crate::Device::cpu(), &[y])?.prepare(&store)?;
    save(&path, &store, "")?;
    assert_eq!(safetensors::read(&path)?.len(), 1);
    let result = load(&path, &graph, "", &store);
    std::fs::remove_file(&path).expect("it was written");
    result
}

#[test]
fn values_that_do_not_fit_are_an_error() -> Result<(), Error> {
    let message = |name, values: &Array, dtype| match loaded(name, values, dtype) {
        Err(Error::File(FileError::Mismatch { report, .. })) => report.to_string(),
        other => unreachable!("{other:?}"),
    };
    let text = |what: &str| format!("0 variables loaded\nmismatched: w holds {what}");
    let large = Array::new([2], &[1.0f32, 1e6])?;
    assert_eq!(message("large", &large, DType::F16), text("1000000, which does not fit f16"));
    let negative = Array::new([1], &[-1i32])?;
    assert_eq!(message("negative", &negative, DType::U32), text("-1, which does not fit u32"));
    let broken = Array::new([1], &[0.5f32])?;
    assert_eq!(message("broken", &broken, DType::I32), text("0.5, which does not fit i32"));
    Ok(())
}
