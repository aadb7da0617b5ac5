//! Gradients that are accumulated over parts of a batch.

use super::*;
use crate::{
    GraphError,
    nn::{BatchNorm, CrossEntropy, Scope},
};

/// The largest difference between the parameters of two stores, over the largest parameter.
fn difference(one: &Variables, other: &Variables) -> Result<f64, Error> {
    let (mut off, mut largest) = (0.0f64, 0.0f64);
    for (path, array) in one.to_arrays_below("net/")? {
        for (a, b) in array.to_f64().into_iter().zip(other.get(&path)?.to_f64()) {
            off = off.max((a - b).abs());
            largest = largest.max(b.abs());
        }
    }
    Ok(off / largest)
}

/// Exclusive or, with every third label replaced by one that is ignored; whole parts have no other.
fn with_gaps() -> Result<Labeled, Error> {
    let data = exclusive_or()?;
    let labels = data.targets().words().iter().enumerate();
    let labels = labels.map(|(row, label)| if row % 3 == 0 || row < 14 { 9 } else { *label });
    Labeled::new(data.inputs().clone(), Array::from(labels.collect::<Vec<u32>>()))
}

fn masked<'g>(net: &Sequential, cx: &mut Scope<'g>, batch: &crate::Inputs<'g>) -> Loss<'g> {
    let (x, labels) = (batch.get("inputs"), batch.get("targets"));
    let logits = net.forward(&mut cx.child("net"), x);
    let counted = labels.not_equal(9u32).cast(crate::DType::F32).sum(..);
    let loss = CrossEntropy::new().ignoring(9).loss(logits, labels);
    Loss::new(loss).weight(counted).metric("count", Metric::sums([counted], [], |sums| sums[0]))
}

/// The mean gradient of the parts, weighted by labels that count, is that of the batch; so are the
/// loss and the metrics.
#[test]
fn parts_have_the_gradient_of_the_batch() -> Result<(), Error> {
    let net = Sequential::new().add(Dense::new(8)).add(Activation::tanh()).add(Dense::new(2));
    let (data, cpu) = (with_gaps()?, Device::cpu());
    let fit = |parts: usize| {
        let variables = Variables::new(5);
        // 64 rows in batches of 28 leave 8; in 3 parts of 10, 10 and 8, 8 alone.
        let report = Trainer::new(|cx, batch| masked(&net, cx, batch), Sgd::new(0.5).momentum(0.5))
            .epochs(4)
            .batch(28)
            .shuffle(false)
            .accumulate(parts)
            .fit(&cpu, &variables, &data)?;
        assert_eq!(report.steps, 12);
        Ok::<_, Error>((variables, report.epochs[3].objectives[0].1.clone()))
    };
    let (whole, measures) = fit(1)?;
    for parts in [2, 3, 28, 1000] {
        let (split, of_parts) = fit(parts)?;
        // Twelve steps round sums of 28 gradients in another order: some multiples of 2^-24 each.
        let off = difference(&split, &whole)?;
        assert!(off < 1e-6, "{parts} parts: {off}");
        assert!((of_parts.loss - measures.loss).abs() < 1e-6, "{of_parts}, not {measures}");
        assert_eq!(of_parts.get("count"), measures.get("count"));
        assert_eq!(split.get("accumulated/weight")?.to_f64(), [0.0]);
    }
    Ok(())
}

/// A batch in which nothing counts moves nothing, and has no loss.
#[test]
fn a_batch_without_weight_moves_nothing() -> Result<(), Error> {
    let net = Sequential::new().add(Dense::new(2));
    let data = exclusive_or()?;
    let labels = Array::full([64], 9u32)?;
    let data = Labeled::new(data.inputs().clone(), labels)?;
    let variables = Variables::new(5);
    let mut trainer = Trainer::new(|cx, batch| masked(&net, cx, batch), Sgd::new(0.5)).batch(32);
    trainer = trainer.accumulate(2);
    trainer.max_steps(0).fit(&Device::cpu(), &variables, &data)?;
    let before = variables.to_arrays()?;
    let report = Trainer::new(|cx, batch| masked(&net, cx, batch), Sgd::new(0.5))
        .epochs(1)
        .batch(32)
        .accumulate(2)
        .fit(&Device::cpu(), &variables, &data)?;
    assert_eq!(variables.to_arrays()?, before);
    assert!(report.epochs[0].loss().is_nan(), "there is nothing to be the mean of");
    Ok(())
}

#[test]
fn statistics_of_batches_are_refused_unless_allowed() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Sequential::new().add(Dense::new(4)).add(BatchNorm::new()).add(Dense::new(2));
    let trainer = || Trainer::classifier(&net, Adam::new(0.01)).epochs(1).accumulate(4);
    let cpu = Device::cpu();
    let refused = trainer().fit(&cpu, &Variables::new(1), &data);
    let Err(error @ Error::Graph(GraphError::BatchStatistics { .. })) = refused else {
        unreachable!("{refused:?}")
    };
    let text = "net/1:batch_norm depends on statistics of the batch: accumulated over its parts, \
                gradients are those of other statistics; `Trainer::accumulate_batch_statistics` \
                allows that";
    assert_eq!(error.to_string(), text);
    trainer().accumulate_batch_statistics(true).fit(&cpu, &Variables::new(1), &data)?;
    // Without parts there is nothing to allow.
    trainer().accumulate(1).fit(&cpu, &Variables::new(1), &data)?;
    Ok(())
}

/// Objectives add up their gradients apart, also if they share the state of an optimizer.
#[test]
fn each_objective_accumulates_for_itself() -> Result<(), Error> {
    let data = exclusive_or()?;
    let net = Sequential::new().add(Dense::new(2));
    let cpu = Device::cpu();
    let fit = |parts: usize| {
        let variables = Variables::new(5);
        let shrink = Objective::new(
            "shrink",
            |cx, batch| {
                net.forward(&mut cx.child("net"), batch.get("inputs")).square().mean(..).into()
            },
            Adam::new(0.01),
        );
        let classify = Objective::of("classify", Classifier(&net), Adam::new(0.01));
        Trainer::of([classify, shrink.every(2).sharing("classify")])
            .epochs(2)
            .accumulate(parts)
            .fit(&cpu, &variables, &data)?;
        Ok::<_, Error>(variables)
    };
    let (whole, split) = (fit(1)?, fit(4)?);
    let off = difference(&split, &whole)?;
    assert!(off < 1e-5, "{off}");
    assert!(split.paths().iter().any(|path| path == "train/shrink/accumulated/weight"));
    Ok(())
}

/// A step that is skipped leaves nothing to the next: the one after it has its own gradient.
#[test]
fn a_skipped_step_is_not_accumulated() -> Result<(), Error> {
    // Rows in batches of two, in two parts each; the second batch has a part that is not finite.
    let x = Array::new([6, 1], &[1.0f32, 2.0, f32::INFINITY, 5.0, 3.0, 4.0])?;
    let data = ArrayDataset::new([("x", x)])?;
    let fit = |parts: usize| {
        let variables = Variables::new(0);
        let report = Trainer::new(
            |cx, batch| {
                let p = cx.param("p", [], crate::Init::Zeros);
                Loss::new((p * batch.get("x")).mean(..))
            },
            Sgd::new(1.0).momentum(0.5).skip_non_finite(),
        )
        .batch(2)
        .shuffle(false)
        .accumulate(parts)
        .epochs(1)
        .fit(&Device::cpu(), &variables, &data)?;
        Ok::<_, Error>((variables.get("p")?.item(), report.skipped, report.epochs[0].loss()))
    };
    // Momenta of 1.5 and 0.75 + 3.5. Losses that are not finite count nothing: the others are 0 and
    // -1.5 times 3.5, or, of parts, 0, 0, and -1.5 times 5, 3 and 4.
    assert_eq!(fit(1)?, (Some(-1.5 - 4.25), 1, -5.25 / 2.0));
    assert_eq!(fit(2)?, (Some(-1.5 - 4.25), 1, -1.5 * 12.0 / 5.0));
    Ok(())
}

/// Nor do running statistics of a part that is not finite stay.
#[test]
fn statistics_of_a_skipped_step_do_not_stay() -> Result<(), Error> {
    let x = Array::new([8, 1], &[1.0f32, 2.0, 3.0, 5.0, f32::INFINITY, 5.0, 3.0, 4.0])?;
    let data = ArrayDataset::new([("x", x)])?;
    let norm = BatchNorm::new();
    let fit = |rows: usize| {
        let variables = Variables::new(0);
        Trainer::new(
            |cx, batch| {
                let y = norm.forward(&mut cx.child("norm"), batch.get("x"));
                Loss::new(y.square().mean(..))
            },
            Sgd::new(0.1).skip_non_finite(),
        )
        .batch(4)
        .shuffle(false)
        .accumulate(2)
        .accumulate_batch_statistics(true)
        .epochs(1)
        .fit(
            &Device::cpu(),
            &variables,
            &crate::data::Subset::new(&data, (0..rows).collect::<Vec<_>>())?,
        )?;
        variables.get("norm/running_mean")?.to_vec::<f32>()
    };
    let [before, after] = [fit(4)?, fit(8)?];
    assert!(after.iter().all(|mean| mean.is_finite()), "{after:?}");
    // The other part of the second batch is finite, and counts.
    assert_ne!(before, after);
    Ok(())
}
