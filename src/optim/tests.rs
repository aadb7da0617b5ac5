use super::*;
use crate::{
    Array, DType, Device, Init, Variables,
    error::{Error, GraphError},
    graph::Graph,
    nn::{BatchNorm, Mode, Module, Scope, mean_squared_error},
};

/// Runs `steps` updates of a parameter from 3 toward 0, where the gradient is `2 p`.
fn descend(optimizer: &dyn Optimizer, steps: usize, lr: Option<f32>) -> Result<f64, Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [1], Init::Constant(3.0));
    let loss = mean_squared_error(p, p.full_like(0.0));
    optimizer.update(&mut cx, loss);
    let program = graph.compile(&Device::Reference, &[])?;
    let variables = Variables::new(0);
    program.prepare(&variables)?;
    if let Some(lr) = lr {
        variables.set("optim/lr", Array::scalar(lr))?;
    }
    for _ in 0..steps {
        program.run(&variables, &[])?;
    }
    Ok(variables.get("p")?.to_f64()[0])
}

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-5, "{a} is not {b}");
}

#[test]
fn descent_is_its_formula() -> Result<(), Error> {
    close(descend(&Sgd::new(0.1), 2, None)?, 3.0 * 0.8 * 0.8);
    // m = 6, p = 2.4; m = 3 + 4.8, p = 2.4 - 0.78.
    close(descend(&Sgd::new(0.1).momentum(0.5), 2, None)?, 1.62);
    Ok(())
}

/// Two parameters with gradients `a` and `b`, after one step of descent with a rate of 1, clipped.
fn clipped(device: &Device, [a, b]: [f32; 2], longest: f64) -> Result<[f64; 2], Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let slopes = [graph.input("a", [2], DType::F32), graph.input("b", [], DType::F32)];
    let p = cx.param("p", [2], Init::Zeros);
    let q = cx.param("q", [], Init::Zeros);
    let loss = (p * slopes[0]).sum(..) + q * slopes[1];
    Sgd::new(1.0).clip_norm(longest).update(&mut cx, loss);
    let program = graph.compile(device, &[])?;
    let variables = Variables::new(0);
    program.run(&variables, &[("a", &Array::new([2], &[a, 0.0])?), ("b", &Array::scalar(b))])?;
    Ok([variables.get("p")?.to_f64()[0], variables.get("q")?.item().unwrap_or(f64::NAN)])
}

/// Gradients that are 3 and 4 in some unit are clipped to 0.6 and 0.8 of the limit, also where
/// their squares are no f32.
#[test]
fn a_norm_is_clipped_whatever_its_squares() -> Result<(), Error> {
    for device in [Device::cpu(), Device::Reference] {
        for unit in [1.0f32, 1e12, 1e18, 1e19, 3e19, 5e37, 8e37] {
            for longest in [1.0, 3.0, 0.25] {
                let got = clipped(&device, [3.0 * unit, 4.0 * unit], longest)?;
                for (got, share) in got.iter().zip([0.6, 0.8]) {
                    // The epsilon is a millionth where the norm is 5.
                    let off = (got / longest + share).abs();
                    assert!(off < 1e-6, "{}, {unit:e}, {longest}: {got}", device.name());
                }
            }
        }
        // Below the limit nothing changes.
        let small = [3e-25f32, 4e-25];
        assert_eq!(clipped(&device, small, 1.0)?, small.map(|x| -f64::from(x)));
    }
    Ok(())
}

#[test]
fn the_learning_rate_is_a_variable() -> Result<(), Error> {
    close(descend(&Sgd::new(0.1), 1, Some(0.5))?, 0.0);
    Ok(())
}

#[test]
fn adam_is_its_formula() -> Result<(), Error> {
    let (mut p, mut m, mut v) = (3.0f64, 0.0, 0.0);
    for t in 1..=5 {
        let g = 2.0 * p;
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
        p -= 0.01 * m_hat / (v_hat.sqrt() + 1e-8);
    }
    close(descend(&Adam::new(0.01), 5, None)?, p);
    Ok(())
}

#[test]
fn decay_and_shortened_gradients_are_their_formulas() -> Result<(), Error> {
    // The first step of Adam equals the learning rate, independent of the gradient.
    close(descend(&AdamW::new(0.1).weight_decay(0.5), 1, None)?, 3.0 * (1.0 - 0.1 * 0.5) - 0.1);
    close(descend(&Sgd::new(0.1).weight_decay(0.5), 1, None)?, 3.0 - 0.1 * (6.0 + 1.5));
    // The gradient is 6, and clipped to 2; it does not reach 10.
    close(descend(&Sgd::new(0.1).clip_norm(2.0), 1, None)?, 3.0 - 0.2);
    close(descend(&Sgd::new(0.1).clip_norm(10.0), 1, None)?, 3.0 - 0.6);
    close(descend(&Adam::new(0.1).clip_norm(2.0), 1, None)?, 3.0 - 0.1);
    Ok(())
}

/// The two sides of a GAN: two parameters moving toward 0, in one graph or in separate ones.
fn descend_apart(graphs: usize, names: [&str; 2]) -> Result<[f64; 2], Error> {
    let variables = Variables::new(0);
    let mut programs = Vec::new();
    let parts = [("g", Adam::new(0.5).named(names[0])), ("d", Adam::new(0.125).named(names[1]))];
    for parts in parts.chunks(2 / graphs) {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        for (path, optimizer) in parts {
            let p = cx.param(path, [1], Init::Constant(3.0));
            let loss = mean_squared_error(p, p.full_like(0.0));
            optimizer.update_params(&mut cx, loss, &[((*path).to_owned(), p)]);
        }
        programs.push(graph.compile(&Device::Reference, &[])?);
    }
    for program in &programs {
        program.run(&variables, &[])?;
    }
    Ok([variables.get("g")?.to_f64()[0], variables.get("d")?.to_f64()[0]])
}

#[test]
fn two_optimizers_work_in_one_store() -> Result<(), Error> {
    // The first step of Adam equals the learning rate, independent of the gradient.
    for graphs in [1, 2] {
        let [g, d] = descend_apart(graphs, ["gen", "disc"])?;
        close(g, 2.5);
        close(d, 2.875);
    }
    Ok(())
}

#[test]
fn two_optimizers_of_one_name_are_an_error() {
    let error = descend_apart(1, ["optim", "optim"]).expect_err("they would share a rate");
    let Error::Graph(GraphError::Reinitialized { name, first, second, .. }) = &error else {
        unreachable!("{error:?} is typed otherwise")
    };
    assert_eq!(name, "optim/lr");
    assert_eq!([*first, *second], [Init::Constant(0.5), Init::Constant(0.125)]);
    let text =
        "optim/lr: initialized with Constant(0.5), and again with Constant(0.125) in optim, made";
    assert!(error.to_string().starts_with(text), "{error}");
}

/// Two parameters whose gradients are inputs, under an optimizer.
fn driven(optimizer: &dyn Optimizer) -> Result<(crate::Program, Variables), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.child("body").param("weight", [2], Init::Constant(1.0));
    let q = cx.child("head").param("bias", [], Init::Constant(1.0));
    let gradients = [graph.input("p", [2], DType::F32), graph.input("q", [], DType::F32)];
    optimizer.apply(
        &mut cx,
        &[Update::new("body/weight", p, gradients[0]), Update::new("head/bias", q, gradients[1])],
    );
    let program = graph.compile(&Device::cpu(), &[])?;
    let variables = Variables::new(0);
    program.prepare(&variables)?;
    Ok((program, variables))
}

fn run(driven: &(crate::Program, Variables), p: [f32; 2], q: f32) -> Result<[f64; 3], Error> {
    let (program, variables) = driven;
    program.run(variables, &[("p", &Array::from(p)), ("q", &Array::scalar(q))])?;
    let (p, q) = (variables.get("body/weight")?.to_f64(), variables.get("head/bias")?.to_f64());
    Ok([p[0], p[1], q[0]])
}

#[test]
fn elements_are_clipped() -> Result<(), Error> {
    let driven = driven(&Sgd::new(1.0).clip_value(0.5))?;
    assert_eq!(run(&driven, [0.25, 7.0], -1e30)?, [0.75, 0.5, 1.5]);
    Ok(())
}

/// Groups have their own rules, rates and state, and the norm is that of all.
#[test]
fn groups_are_updated_by_their_own_optimizers() -> Result<(), Error> {
    let grouped = Sgd::new(1.0).group("fast", "head", Sgd::new(10.0)).clip_norm(1.0);
    let fast = driven(&grouped)?;
    let [a, b, q] = run(&fast, [3.0, 0.0], 4.0)?;
    [(a, 0.4), (b, 1.0), (q, -7.0)].into_iter().for_each(|(is, expected)| close(is, expected));
    assert_eq!(fast.1.get("optim/lr")?.item(), Some(1.0));
    assert_eq!(fast.1.get("optim/fast/lr")?.item(), Some(10.0));

    let vectors = AdamW::new(0.5).group("flat", Select::Vectors, Sgd::new(1.0)).named("disc");
    let flat = driven(&vectors)?;
    assert_eq!(run(&flat, [0.5, 0.25], 0.125)?, [0.5, 0.75, 0.875]);
    assert_eq!(flat.1.get("disc/flat/lr")?.item(), Some(1.0));

    let error = driven(&Sgd::new(1.0).group("none", "tail", Sgd::new(1.0))).map(|_| ());
    let text = "group \"none\": no parameter matches \"tail\"; parameters: \"body/weight\", ";
    assert!(error.expect_err("no tail").to_string().starts_with(text));
    let scaled = Sgd::new(1.0).scale_loss(LossScale::dynamic());
    let error = driven(&Sgd::new(1.0).group("scaled", "head", scaled)).map(|_| ());
    assert!(error.expect_err("one loss").to_string().contains("a loss has one scale"));
    Ok(())
}

/// A step that is skipped leaves every variable as it is, but for the number of such steps.
#[test]
fn steps_that_are_not_finite_change_nothing() -> Result<(), Error> {
    let rules: [Box<dyn Optimizer>; 6] = [
        // In any order, and more than once.
        Box::new(Adam::new(0.1).skip_non_finite().clip_value(0.5).average(0.5)),
        Box::new(Sgd::new(0.1).skip_non_finite().scale_loss(LossScale::fixed(8.0)).clip_norm(1.0)),
        Box::new(
            Sgd::new(0.1).group("h", "head", Adam::new(1.0).skip_non_finite()).skip_non_finite(),
        ),
        Box::new(Adam::new(0.1).amsgrad().skip_non_finite()),
        Box::new(Sgd::new(0.1).momentum(0.9).weight_decay(0.1).average(0.5).skip_non_finite()),
        Box::new(Adam::new(0.1).clip_norm(1.0).group("h", "head", Sgd::new(1.0)).skip_non_finite()),
    ];
    for rule in rules {
        let driven = driven(&*rule)?;
        run(&driven, [1.0, 2.0], 3.0)?;
        let state = || -> Result<Vec<(String, Array)>, Error> {
            let all = driven.1.to_arrays()?.into_iter();
            Ok(all.filter(|(path, _)| path != "optim/skipped").collect())
        };
        let before = state()?;
        for (count, wrong) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().enumerate() {
            run(&driven, [wrong, 1.0], 0.0)?;
            run(&driven, [1.0, 1.0], wrong)?;
            assert_eq!(state()?, before, "{wrong}");
            let skipped = driven.1.get("optim/skipped")?.item();
            assert_eq!(skipped, Some(2.0 * (count + 1) as f64));
        }
        run(&driven, [1.0, f32::MAX], 3.0)?;
        assert_ne!(state()?, before, "the largest number is finite");
    }
    Ok(())
}

/// Running statistics are kept too, and random numbers go on.
#[test]
fn nothing_of_a_skipped_step_stays_but_random_numbers() -> Result<(), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let x = graph.input("x", [4, 2], DType::F32);
    let noise = cx.uniform([4, 2]);
    let y = BatchNorm::new().forward(&mut cx.child("norm"), x + noise);
    Adam::new(0.1).skip_non_finite().update(&mut cx, (y * y).mean(..));
    let program = graph.compile(&Device::cpu(), &[noise])?;
    let variables = Variables::new(0);
    let rows = |first: f32| Array::new([4, 2], &[first, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let mut drawn = vec![];
    let mut step = |first: f32| {
        drawn.push(program.run(&variables, &[("x", &rows(first)?)])?.read_blocking(0)?);
        let all = variables.to_arrays()?.into_iter();
        let kept = all.filter(|(path, _)| !path.starts_with("rng/") && path != "optim/skipped");
        Ok::<_, Error>(kept.collect::<Vec<_>>())
    };
    let before = step(0.0)?;
    assert_eq!(step(f32::NAN)?, before);
    assert_ne!(step(0.0)?, before);
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2]);
    Ok(())
}

/// Two optimizers of one graph are skipped each for itself.
#[test]
fn one_optimizer_is_skipped_without_the_other() -> Result<(), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let names = ["a", "b"];
    let params = names.map(|name| cx.param(name, [], Init::Constant(1.0)));
    for (name, param) in names.into_iter().zip(params) {
        let slope = graph.input(&format!("d{name}"), [], DType::F32);
        let rule = Sgd::new(1.0).named(name).skip_non_finite();
        rule.apply(&mut cx, &[Update::new(name, param, slope)]);
    }
    let program = graph.compile(&Device::cpu(), &[])?;
    let variables = Variables::new(0);
    let wrong = Array::scalar(f32::NAN);
    program.run(&variables, &[("da", &Array::scalar(0.5f32)), ("db", &wrong)])?;
    program.run(&variables, &[("da", &wrong), ("db", &Array::scalar(0.25f32))])?;
    let value = |path| Ok::<_, Error>(variables.get(path)?.item());
    assert_eq!([value("a")?, value("b")?], [Some(0.5), Some(0.75)]);
    assert_eq!([value("a/skipped")?, value("b/skipped")?], [Some(1.0), Some(1.0)]);
    Ok(())
}

/// The scale is halved by an overflow, doubled after some steps without one, and within its bounds.
#[test]
fn a_dynamic_scale_finds_itself() -> Result<(), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [], Init::Constant(0.0));
    let slope = graph.input("slope", [], DType::F32);
    // The gradient is that of halves: it overflows from 65520 on, and is lost below 2^-25.
    let loss = (p.cast(DType::F16) * slope.cast(DType::F16)).cast(DType::F32);
    let scale = LossScale::dynamic().starting_at(1024.0).growing_after(3);
    let rule = Sgd::new(1.0).scale_loss(scale);
    rule.update(&mut cx, loss);
    let program = graph.compile(&Device::cpu(), &[])?;
    let variables = Variables::new(0);
    let value = |path: &str| Ok::<_, Error>(variables.get(path)?.item().unwrap_or(f64::NAN));
    let step = |slope: f32| -> Result<[f64; 3], Error> {
        program.run(&variables, &[("slope", &Array::scalar(slope))])?;
        Ok([value("p")?, value("optim/loss_scale")?, value("optim/skipped")?])
    };
    assert_eq!(step(2.0)?, [-2.0, 1024.0, 0.0]);
    assert_eq!(step(2.0)?, [-4.0, 1024.0, 0.0]);
    assert_eq!(step(2.0)?, [-6.0, 2048.0, 0.0]);
    assert_eq!(step(2.0)?, [-8.0, 2048.0, 0.0]);
    // 128 times 2048 is no half, nor is 128 times 1024; 128 times 512 is none either, by rounding.
    assert_eq!(step(128.0)?, [-8.0, 1024.0, 1.0]);
    assert_eq!(step(128.0)?, [-8.0, 512.0, 2.0]);
    assert_eq!(step(128.0)?, [-8.0, 256.0, 3.0]);
    assert_eq!(step(128.0)?, [-136.0, 256.0, 3.0]);
    // The steps are counted anew after an overflow.
    assert_eq!(step(0.0)?, [-136.0, 256.0, 3.0]);
    assert_eq!(step(0.0)?, [-136.0, 512.0, 3.0]);
    for _ in 0..200 {
        step(f32::NAN)?;
    }
    assert_eq!(step(f32::NAN)?, [-136.0, 2f64.powi(-60), 204.0]);
    // It grows until it is no half itself.
    for _ in 0..400 {
        step(0.0)?;
    }
    assert!([32768.0, 65536.0].contains(&step(0.0)?[1]));
    Ok(())
}

/// A loss without gradients does not take it to infinity.
#[test]
fn a_dynamic_scale_has_a_bound() -> Result<(), Error> {
    let graph = Graph::new();
    let mut cx = Scope::new(&graph, Mode::Train);
    let p = cx.param("p", [], Init::Constant(1.0));
    let scale = LossScale::dynamic().growing_after(1);
    Sgd::new(1.0).scale_loss(scale).update(&mut cx, p * 0.0);
    let program = graph.compile(&Device::cpu(), &[])?;
    let variables = Variables::new(0);
    for _ in 0..60 {
        program.run(&variables, &[])?;
    }
    assert_eq!(variables.get("optim/loss_scale")?.item(), Some(2f64.powi(60)));
    Ok(())
}

#[test]
fn a_fixed_scale_is_a_setting() -> Result<(), Error> {
    let scaled = Sgd::new(1.0).scale_loss(LossScale::fixed(1024.0));
    close(descend(&scaled, 1, None)?, 3.0 - 6.0);
    let text = |scale| {
        let refused = descend(&Sgd::new(1.0).scale_loss(scale), 1, None);
        refused.expect_err("it is refused").to_string()
    };
    for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(text(LossScale::fixed(wrong)).contains("scale must be positive"));
    }
    assert!(text(LossScale::dynamic().growing_after(0)).contains("growth interval must be"));
    Ok(())
}

/// The average begins with the parameter after the first step, and warms up if it is told to.
#[test]
fn averages_are_their_formula() -> Result<(), Error> {
    for warms_up in [false, true] {
        let average = Average::new(0.9).named("mean");
        let average = if warms_up { average.warm_up() } else { average };
        let driven = driven(&Sgd::new(0.5).with(average))?;
        let mut expected = f64::NAN;
        for n in 0..6 {
            let [p, ..] = run(&driven, [n as f32, 0.0], 0.0)?;
            let decay = match n {
                0 => 0.0,
                n if warms_up => (f64::from(1 + n) / f64::from(10 + n)).min(0.9),
                _ => 0.9,
            };
            expected = if n == 0 { p } else { decay * expected + (1.0 - decay) * p };
            close(driven.1.get("mean/body/weight")?.to_f64()[0], expected);
        }
    }
    Ok(())
}

/// Updates lie in arenas, and so are one step, also where gradients are read by others: for their norm, or
/// for another update, which then has a step for each parameter.
#[test]
fn gradients_with_other_readers_lie_in_arenas() -> Result<(), Error> {
    let values = |device: &Device, shared: bool| {
        let graph = Graph::new();
        let mut cx = Scope::new(&graph, Mode::Train);
        let slopes = [("a", 3), ("b", 70), ("c", 5)].map(|(name, len)| {
            let x = graph.input(name, [len], DType::F32);
            (name, x * x - 0.25)
        });
        let mut params = |prefix: &str| {
            slopes.map(|(name, slope)| {
                let path = format!("{prefix}{name}");
                let param = cx.param(&path, slope.shape(), Init::Constant(0.5));
                (path, param, slope)
            })
        };
        let (first, second) = (params("p"), params("q"));
        let of = first.each_ref().map(|(path, p, g)| Update::new(path, *p, *g));
        Adam::new(0.1).clip_norm(1.0).apply(&mut cx, &of);
        if shared {
            let of = second.each_ref().map(|(path, p, g)| Update::new(path, *p, *g));
            Sgd::new(0.1).momentum(0.5).named("other").apply(&mut cx, &of);
        }
        let program = graph.compile(device, &[])?;
        let variables = Variables::new(0);
        let ramp = |len: usize| Array::from((0..len).map(|k| k as f32 / 50.0).collect::<Vec<_>>());
        let (a, b, c) = (ramp(3), ramp(70), ramp(5));
        for _ in 0..2 {
            program.run(&variables, &[("a", &a), ("b", &b), ("c", &c)])?;
        }
        let plan = program.plan().map(ToString::to_string).unwrap_or_default();
        Ok::<_, Error>((plan, variables.to_arrays()?))
    };
    for shared in [false, true] {
        let (plan, values_of_cpu) = values(&Device::cpu(), shared)?;
        assert!(plan.contains("3 arenas"), "{plan}");
        let (_, expected) = values(&Device::Reference, shared)?;
        for ((path, is), (_, expected)) in values_of_cpu.into_iter().zip(expected) {
            for (is, expected) in is.to_f64().into_iter().zip(expected.to_f64()) {
                assert!((is - expected).abs() < 1e-5, "{path}: {is}, not {expected}");
            }
        }
    }
    Ok(())
}
