//! Metrics against scikit-learn 1.7's.

use super::*;
use crate::{DType, nn::CrossEntropy};

/// Four logits each of 37 rows, times 4.
const LOGITS: [i32; 148] = [
    2, -5, 0, -8, 2, 3, 1, 2, -2, -8, 4, -1, 6, -6, -6, -7, -3, 0, 6, -7, 2, -1, 3, -7, 7, 8, -3,
    6, -8, -8, 1, -3, -1, -3, 6, -7, -7, 2, 3, -4, -5, 8, 8, -8, 8, 3, -8, 5, -3, 8, -7, -6, -4, 0,
    4, 8, 2, 8, -4, 0, -1, -8, 8, 1, -7, 7, 3, 2, 8, 8, 4, -4, 4, 4, 8, -6, -1, -7, -5, 5, -7, -6,
    -5, 3, -1, -7, 3, -8, 8, 3, 0, 0, 6, 4, -4, 1, -3, 1, 2, 1, -8, 5, 4, -1, -4, 2, 0, 4, -8, -1,
    -8, -7, 7, 3, 1, -1, 5, -4, 1, 5, 5, -8, 7, -4, 2, -2, 4, 7, 6, 2, 3, -5, 0, -6, 3, -4, -8, 5,
    -1, -7, -6, -6, 6, 2, -1, 4, 3, -1,
];

/// Class 2 is predicted, and never true.
const LABELS: [u32; 37] = [
    1, 1, 3, 3, 1, 3, 1, 3, 0, 1, 3, 1, 3, 0, 3, 1, 3, 0, 3, 1, 3, 1, 1, 0, 1, 0, 1, 3, 1, 3, 3, 1,
    3, 1, 1, 3, 3,
];

fn step<'g>(_: &mut nn::Scope<'g>, batch: &crate::Inputs<'g>) -> Loss<'g> {
    let (logits, labels) = (batch.get("logits"), batch.get("labels"));
    let costs = CrossEntropy::new().reduction(crate::Reduction::None).loss(logits, labels);
    let is_one = labels.equal(1u32);
    let score = logits.slice(1, 0..1).reshape([-1]);
    let target = logits.slice(1, 0..2) + 1000.0;
    let y = target + logits.slice(1, 2..4) / 8.0;
    let mut loss = Loss::new(costs.mean(..))
        .metric("accuracy", Metric::accuracy(logits, labels))
        .metric("top 2", Metric::top_k(logits, labels, 2))
        .metric("confusion", Metric::confusion(logits, labels))
        .metric("auc", Metric::auc(score, is_one))
        .metric("mae", Metric::mae(y, target))
        .metric("rmse", Metric::rmse(y, target))
        .metric("r2", Metric::r2(y, target))
        .metric("perplexity", Metric::perplexity(costs))
        .metric("half", Metric::mean(logits.cast(DType::F16)));
    for (name, average) in
        [("macro", Average::Macro), ("micro", Average::Micro), ("of 1", Average::Of(1))]
    {
        loss = loss
            .metric(&format!("precision {name}"), Metric::precision(logits, labels, average))
            .metric(&format!("recall {name}"), Metric::recall(logits, labels, average))
            .metric(&format!("f1 {name}"), Metric::f1(logits, labels, average));
    }
    loss
}

fn check(measures: &Measures) {
    let mean = LOGITS.iter().sum::<i32>() as f64 / 4.0 / 148.0;
    for (name, expected) in [
        ("accuracy", 0.16216216216216217),
        ("top 2", 0.4864864864864865),
        ("confusion", 0.16216216216216217),
        ("auc", 0.5803571428571429),
        ("half", mean),
        ("precision macro", 0.18055555555555552),
        ("recall macro", 0.1625),
        ("f1 macro", 0.15293040293040291),
        ("precision micro", 0.16216216216216217),
        ("recall micro", 0.16216216216216217),
        ("f1 micro", 0.16216216216216217),
        ("precision of 1", 0.3),
        ("recall of 1", 0.1875),
        ("f1 of 1", 0.23076923076923078),
    ] {
        let is = measures.get(name).expect("it is measured");
        // Sums of small integers and halves are exact.
        assert!((is - expected).abs() <= 4.0 * f64::EPSILON, "{name}: {is}, not {expected}");
    }
    // Targets near 1000 are multiples of 2^-5, and exact too; means of a batch are rounded in f32.
    for (name, expected, bound) in [
        ("mae", 0.12880067567567566, 1e-12),
        ("rmse", 0.15105380115903932, 1e-7),
        ("r2", 0.9870522443997133, 1e-6),
        ("perplexity", 9.140059742205532, 1e-5),
    ] {
        let is = measures.get(name).expect("it is measured");
        assert!((is - expected).abs() <= bound, "{name}: {is}, not {expected}");
    }
    let confusion = measures.confusion().expect("it is counted");
    let expected = [[2, 1, 1, 1], [4, 3, 6, 3], [0, 0, 0, 0], [3, 6, 6, 1]];
    assert_eq!(confusion.rows().collect::<Vec<_>>(), expected);
}

#[test]
fn metrics_are_those_of_the_whole_set() -> Result<(), Error> {
    let logits = LOGITS.map(|logit| logit as f32 / 4.0);
    let data = ArrayDataset::new([
        ("logits", Array::new([37, 4], &logits)?),
        ("labels", Array::from(LABELS)),
    ])?;
    let cpu = Device::cpu();
    let whole = Trainer::new(step, Sgd::new(0.0)).evaluate(&cpu, &Variables::new(0), &data)?;
    check(&whole);
    // In batches of five, in another order, on the way.
    let report = Trainer::new(step, Sgd::new(0.0)).epochs(1).batch(5).fit(
        &cpu,
        &Variables::new(0),
        &data,
    )?;
    check(&report.epochs[0].objectives[0].1);
    Ok(())
}

#[test]
fn what_has_no_value_is_nan_or_zero() -> Result<(), Error> {
    let data = ArrayDataset::new([
        ("x", Array::from([[1.0f32], [1.0], [1.0]])),
        ("labels", Array::from([1u32, 1, 1])),
    ])?;
    let trainer = Trainer::new(
        |_, batch| {
            let (x, labels) = (batch.get("x"), batch.get("labels"));
            Loss::new(x.mean(..))
                .metric("auc", Metric::auc(x.reshape([-1]), labels))
                .metric("exact", Metric::r2(x, x))
                .metric("constant", Metric::r2(x + 1.0, x))
                .metric("custom", Metric::rows([x], |rows| rows[0].len() as f64))
        },
        Sgd::new(0.0),
    );
    let measures = trainer.evaluate(&Device::cpu(), &Variables::new(0), &data)?;
    assert!(measures.get("auc").is_some_and(f64::is_nan), "there are no negatives");
    assert_eq!((measures.get("exact"), measures.get("constant")), (Some(1.0), Some(0.0)));
    assert_eq!(measures.get("custom"), Some(3.0));
    assert!(measures.to_string().starts_with("loss 1.0000  auc NaN  exact 1.0000"), "{measures}");
    Ok(())
}

/// Each says what does not fit, as every function of tensors does.
#[test]
fn shapes_that_do_not_fit_are_refused() -> Result<(), Error> {
    type Traced = for<'g> fn(crate::Tensor<'g>, crate::Tensor<'g>) -> Metric<'g>;
    let all: [(&str, Traced); 8] = [
        ("accuracy", |x, labels| Metric::accuracy(x, labels)),
        ("top_k", |x, labels| Metric::top_k(x, labels, 0)),
        ("confusion", |x, labels| Metric::confusion(x, labels)),
        ("f1", |x, labels| Metric::f1(x, labels, Average::Macro)),
        ("auc", |x, labels| Metric::auc(x, labels)),
        ("mae", |x, labels| Metric::mae(x, labels)),
        ("rmse", |x, labels| Metric::rmse(x, labels)),
        ("r2", |x, labels| Metric::r2(x, labels)),
    ];
    for (name, metric) in all {
        let graph = crate::Graph::new();
        let x = graph.input("x", [5, 3], DType::F32);
        let labels = graph.input("labels", [4], DType::U32);
        let made = metric(x, labels);
        assert!(made.parts.iter().any(|part| part.failed()), "{name}");
        let error = graph.check().expect_err("they do not fit").to_string();
        assert!(error.contains("[5"), "{name}: {error}");
    }
    Ok(())
}
