//! Gradients and their norms.

use super::*;
use crate::Inputs;
use crate::nn::Scope;

fn loss<'g>(net: &Sequential, cx: &mut Scope<'g>, batch: &Inputs<'g>) -> Loss<'g> {
    let logits = net.forward(&mut cx.child("net"), batch.get("inputs"));
    Loss::new(nn::cross_entropy(logits, batch.get("targets")))
}

/// The norms of a training are those of the gradients of its batches, layer by layer, whether a batch
/// has parts or not; to measure them changes nothing else.
#[test]
fn norms_are_those_of_the_gradients() -> Result<(), Error> {
    let net = Sequential::new().add(Dense::new(8)).add(Activation::tanh()).add(Dense::new(2));
    let (data, cpu) = (exclusive_or()?, Device::cpu());
    // With a rate of 0 every step has the gradient of the first one.
    let trainer = || {
        let trainer = Trainer::new(|cx, batch| loss(&net, cx, batch), Sgd::new(0.0));
        trainer.batch(64).shuffle(false).epochs(2)
    };
    let variables = Variables::new(2);
    let batch = data.get(&(0..64).collect::<Vec<_>>())?;
    let gradients = trainer().gradients(&cpu, &variables, "train", &batch)?;
    let norm = |layer: &str| {
        let below = gradients.iter().filter(|(path, _)| path.starts_with(layer));
        below.flat_map(|(_, g)| g.to_f64()).map(|g| g * g).sum::<f64>().sqrt()
    };
    for parts in [1, 4] {
        let mut trainer = trainer().accumulate(parts).gradient_norms(true);
        let report = trainer.fit(&cpu, &variables, &data)?;
        let measures = &report.epochs[1].objectives[0].1;
        let norms: Vec<(&str, f64)> = measures.gradient_norms().collect();
        assert_eq!(norms.len(), 2);
        for ((layer, is), expected) in norms.into_iter().zip(["net/0:dense", "net/2:dense"]) {
            assert_eq!(layer, expected);
            // A few dozen squares in f32.
            assert!((is / norm(layer) - 1.0).abs() < 1e-5, "{layer}: {is}, {}", norm(layer));
        }
        assert_eq!(measures.iter().len(), 0, "they are no metrics of the step");
    }
    let fit = |measure: bool| {
        let variables = Variables::new(2);
        let trainer = Trainer::new(|cx, batch| loss(&net, cx, batch), Adam::new(0.1));
        trainer.epochs(3).gradient_norms(measure).fit(&cpu, &variables, &data)?;
        variables.to_arrays()
    };
    assert_eq!(fit(true)?, fit(false)?);
    Ok(())
}

/// Gradients whose squares are no f32 have norms, and those that are not finite are left out.
#[test]
fn norms_of_huge_gradients_are_finite() -> Result<(), Error> {
    let scales = Array::new([4, 1], &[1e19f32, 3e30, f32::INFINITY, 4e30])?;
    let data = ArrayDataset::new([("x", scales)])?;
    let variables = Variables::new(0);
    let report = Trainer::new(
        |cx, batch| {
            let p = cx.child("layer").param("p", [3], crate::Init::Zeros);
            Loss::new((p * batch.get("x").sum(..)).sum(..))
        },
        Sgd::new(0.0).skip_non_finite(),
    )
    .batch(1)
    .epochs(1)
    .gradient_norms(true)
    .fit(&Device::cpu(), &variables, &data)?;
    let (_, norm) = report.epochs[0].objectives[0].1.gradient_norms().next().expect("a layer");
    let expected = 3f64.sqrt() * (1e19 + 3e30 + 4e30) / 3.0;
    assert!((norm / expected - 1.0).abs() < 1e-6, "{norm:e}, not {expected:e}");
    assert_eq!((report.skipped, report.epochs[0].skipped), (1, 1));
    assert!(report.epochs[0].to_string().ends_with("  1 step skipped"));
    Ok(())
}
