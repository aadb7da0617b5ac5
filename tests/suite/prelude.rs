//! One import for a file that trains a network; Rust's own names stay what they are.

use wgrad::prelude::*;

/// Names of Rust's prelude, each used as what it is there: a glob import would hide it.
fn own_names<T>(of: T) -> Result<Option<Vec<String>>, Box<dyn std::error::Error>>
where
    T: Sized + Send + Sync + Unpin + Clone + Copy + Default + PartialEq + Eq + PartialOrd + Ord,
    T: TryInto<u8> + ToString + ToOwned + Into<u64> + From<u8> + TryFrom<u64>,
    Vec<T>: IntoIterator<Item = T> + Extend<T> + FromIterator<T> + AsRef<[T]> + AsMut<[T]>,
{
    fn called(f: impl Fn(), mut g: impl FnMut(), h: impl FnOnce()) {
        (f(), g(), h()).0
    }
    fn first<I: Iterator>(mut of: I) -> Option<I::Item> {
        of.next()
    }
    fn listed(of: impl DoubleEndedIterator + ExactSizeIterator) -> usize {
        of.len()
    }
    called(|| (), || (), || drop(vec![of]));
    if listed([of].into_iter()) != 1 || first(vec![of].into_iter()).is_none() {
        return Err("it is one".into());
    }
    Ok(Some(vec![String::new()]))
}

#[test]
fn one_import_is_enough_to_train() -> Result<(), Error> {
    assert_eq!(own_names(7u8).ok().flatten(), Some(vec![String::new()]));
    let net = Sequential::new().add(Dense::new(8)).add(Activation::relu()).add(Dense::new(1));
    let steps = Programs::new(&Device::cpu(), |graph, inputs| {
        let mut cx = Scope::new(graph, Mode::Train);
        let y = net.forward(&mut cx.child("net"), inputs.get("x"));
        let loss = nn::mean_squared_error(y, inputs.get("y"));
        Adam::new(0.05).update(&mut cx, loss);
        vec![("loss", loss)]
    });
    let variables = Variables::new(1);
    let (x, y) = (Array::from([[0.0f32], [0.5], [1.0]]), Array::from([[0.0f32], [1.0], [0.0]]));
    let mut losses = vec![];
    for _ in 0..200 {
        losses.push(steps.run(&variables, &[("x", &x), ("y", &y)])?.scalar("loss")?);
    }
    assert!(losses[199] < losses[0] / 10.0, "{} and {}", losses[0], losses[199]);
    Ok(())
}
