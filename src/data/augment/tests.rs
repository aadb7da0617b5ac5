use super::*;
use crate::{
    array::Array,
    data::{ArrayDataset, Batch, Dataset, Labeled},
    error::VariableError,
    functions::PadMode,
};

/// An image whose pixels are the multiples of 0.37 modulo 1.01: in `[0, 1]`, and none like its
/// neighbors.
pub(super) fn ramp(extents: [usize; 3]) -> Result<Image, Error> {
    let pixels = (0..extents.iter().product::<usize>()).map(|k| (k * 37 % 101) as f32 / 100.0);
    Image::new(extents, pixels.collect())
}

pub(super) fn random(key: u64) -> Random {
    Random::new(&[key])
}

/// Pixels up to 1 are sums of a few products in f32: their error is some 2^-24 each.
pub(super) fn assert_close(image: &Image, extents: [usize; 3], expected: &[f64]) {
    assert_eq!((image.extents(), image.pixels().len()), (extents, expected.len()));
    for (at, (&pixel, expected)) in image.pixels().iter().zip(expected).enumerate() {
        // Expected numbers have six digits.
        assert!((f64::from(pixel) - expected).abs() < 2e-6, "{at}: {pixel}, not {expected}");
    }
}

/// Sixteen images and their classes, of three.
fn labeled(extents: [usize; 3]) -> Result<Labeled, Error> {
    let [channels, rows, columns] = extents;
    let images = ramp([16 * channels, rows, columns])?.into_pixels();
    let classes: Vec<u32> = (0..16).map(|row| row % 3).collect();
    Labeled::new(
        Array::from_vec([16, channels, rows, columns], images)?,
        Array::new([16], &classes)?,
    )
}

/// Every random transform.
fn all() -> Compose {
    Compose::new()
        .add(RandomCrop::new([9, 9]).padding(2, PadMode::Reflect))
        .add(RandomFlip::horizontal())
        .add(RandomFlip::vertical())
        .add(RandomAffine::new().degrees(20.0).translate([0.1, 0.1]).scale(0.8..=1.2).shear(5.0))
        .add(ColorJitter::new().brightness(0.4).contrast(0.4).saturation(0.4).hue(0.1))
        .add(RandomResizedCrop::new([8, 6]))
        .add(RandomErasing::new().noise())
        .add(CutOut::new(2))
        .add(Normalize::new([0.5; 3], [0.25; 3]))
}

#[test]
fn a_row_depends_only_on_seed_epoch_and_index() -> Result<(), Error> {
    let data = labeled([3, 10, 9])?;
    let augmented = Augmented::new(&data, all(), 7)?;
    let mixed = MixUp::new(Augmented::new(&data, all(), 7)?, 3, 0.4, 7)?;
    let cut = CutMix::new(Augmented::new(&data, all(), 7)?, 3, 1.0, 7)?;
    let others = [
        Box::new(Augmented::new(&data, all(), 8)?) as Box<dyn Dataset>,
        Box::new(MixUp::new(Augmented::new(&data, all(), 7)?, 3, 0.4, 8)?),
        Box::new(CutMix::new(Augmented::new(&data, all(), 7)?, 3, 1.0, 8)?),
    ];
    for (set, other) in [&augmented as &dyn Dataset, &mixed, &cut].into_iter().zip(others) {
        let rows: Vec<usize> = (0..16).collect();
        let drawn = set.draw(&rows, &[3; 16])?;
        assert_eq!(drawn, set.draw(&rows, &[3; 16])?);
        let inputs = |batch: &Batch| batch.get("inputs").cloned();
        // A row may be drawn again in another turn.
        let twice = set.draw(&[7, 7, 7], &[3, 3 + (1 << 32), 3])?;
        let row = |row: usize| inputs(&twice).map(|inputs| inputs.rows(&[row])).transpose();
        assert_eq!(row(0)?, row(2)?);
        assert_ne!(row(0)?, row(1)?);
        assert_ne!(inputs(&drawn), inputs(&set.draw(&rows, &[4; 16])?));
        assert_ne!(inputs(&drawn), inputs(&other.draw(&rows, &[3; 16])?));
        let permuted = [5, 0, 15, 5, 9];
        for (name, array) in set.draw(&permuted, &[3; 5])?.iter() {
            assert_eq!(
                drawn.get(name).map(|all| all.rows(&permuted)).transpose()?.as_ref(),
                Some(array)
            );
        }
        // The rows of the set are those that it announces.
        for ((name, row), (known, array)) in set.fields().iter().zip(drawn.iter()) {
            assert_eq!((name.as_str(), row.dtype), (known, array.dtype()));
            assert_eq!(row.shape.dims(), &array.shape().dims()[1..]);
        }
        assert_eq!((set.len(), set.get(&[])?.len(), set.draw(&[], &[])?.len()), (16, 0, 0));
        let error = set.draw(&[16], &[1]).expect_err("there are 16").to_string();
        assert_eq!(error, "row 16 does not exist: the array [16, 3, 10, 9] has 16 rows");
    }
    Ok(())
}

#[test]
fn evaluation_is_left_to_no_chance() -> Result<(), Error> {
    let data = labeled([3, 10, 9])?;
    let (augmented, other) = (Augmented::new(&data, all(), 7)?, Augmented::new(&data, all(), 8)?);
    let rows = [3, 0, 12];
    let batch = augmented.get(&rows)?;
    assert_eq!(batch, other.get(&rows)?);
    let expected = Compose::new()
        .add(CenterCrop::new([9, 9]))
        .add(CenterCrop::new([9, 7]))
        .add(Resize::new([8, 6]))
        .add(Normalize::new([0.5; 3], [0.25; 3]));
    assert_eq!(batch, Augmented::new(&data, expected, 0)?.get(&rows)?);
    assert_eq!(batch.get("targets"), data.get(&rows)?.get("targets"));
    assert_eq!(augmented.array("targets"), Some(data.targets()));
    assert_eq!(augmented.array("inputs"), None);
    Ok(())
}

#[test]
fn a_transform_has_numbers_of_its_own() -> Result<(), Error> {
    /// Adds a random number, and takes more of them than it needs.
    #[derive(Debug)]
    struct Add(usize);
    impl Transform for Add {
        fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
            Ok(extents)
        }
        fn apply(&self, mut image: Image, random: Option<&mut Random>) -> Result<Image, Error> {
            if let Some(random) = random {
                image.pixels_mut()[0] += random.unit() as f32;
                for _ in 0..self.0 {
                    random.next();
                }
            }
            Ok(image)
        }
    }
    let last = |first: Add| {
        let sum = |list: &Compose| {
            let image = list.apply(Image::new([1, 1, 1], vec![0.0])?, Some(&mut random(3)))?;
            Ok::<_, Error>(image.pixels()[0])
        };
        let one = Compose::new().add(first);
        Ok::<_, Error>(sum(&one.clone().add(Add(0)))? - sum(&one)?)
    };
    assert_eq!(last(Add(0))?, last(Add(5))?);
    let two = Compose::new().add(Add(0));
    let image = two.apply(Image::new([1, 1, 1], vec![0.0])?, Some(&mut random(3)))?;
    assert_ne!(image.pixels()[0], last(Add(0))?);
    Ok(())
}

#[test]
fn mixed_classes_are_as_mixed_as_their_inputs() -> Result<(), Error> {
    // Every image has the value of its class everywhere, of two.
    let pixels: Vec<f32> = (0..40 * 48).map(|pixel| (pixel / 48 % 2) as f32).collect();
    let classes: Vec<u32> = (0..40).map(|row| row % 2).collect();
    let data = ArrayDataset::new([
        ("image", Array::new([40, 1, 6, 8], &pixels)?),
        ("class", Array::new([40], &classes)?),
        ("row", Array::new([40], &(0..40).collect::<Vec<u32>>())?),
    ])?;
    let names = ["image", "class"];
    let up = MixUp::of_fields(names, &data, 2, 1.0, 7)?;
    let cut = CutMix::of_fields(names, &data, 2, 1.0, 7)?;
    let rows: Vec<usize> = (0..40).collect();
    for (set, is_cut) in [(&up as &dyn Dataset, false), (&cut, true)] {
        let (mut shares, mut partners) = (Vec::new(), 0);
        for epoch in 1..=50 {
            let batch = set.draw(&rows, &[epoch; 40])?;
            let field = |name: &str| batch.get(name).expect("it is a field").to_f64();
            assert_eq!(batch.get("row"), data.array("row"));
            let (images, classes) = (field("image"), field("class"));
            for ((image, probabilities), row) in images.chunks(48).zip(classes.chunks(2)).zip(0..) {
                let light = image.iter().sum::<f64>() / 48.0;
                // A probability is rounded to f32 once, and each pixel twice.
                assert!((light - probabilities[1]).abs() < 2e-7, "{light} {probabilities:?}");
                assert!((probabilities[0] + probabilities[1] - 1.0).abs() < 2e-7);
                let own = probabilities[row % 2];
                if own < 1.0 {
                    partners += 1;
                    shares.push(own);
                }
                let whole = image.iter().all(|&pixel| pixel == 0.0 || pixel == 1.0);
                assert_eq!(whole, is_cut || own == 1.0, "{row} {own}");
            }
        }
        if !is_cut {
            // The other class as often as not; five standard deviations of a binomial: sqrt(500).
            assert!((1000 - 112..=1000 + 112).contains(&partners), "{partners}");
            // Five of the mean of Beta(1, 1): sqrt(1 / 12 / 1000) is 0.0091.
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            assert!((mean - 0.5).abs() < 0.05, "{mean}");
        }
        let plain = set.get(&[1, 4])?;
        assert_eq!(plain.get("class"), Some(&Array::from([[0.0f32, 1.0], [1.0, 0.0]])));
        assert_eq!(plain.get("image"), data.get(&[1, 4])?.get("image"));
        assert_eq!((set.array("row"), set.array("image")), (data.array("row"), None));
    }
    Ok(())
}

#[test]
fn settings_without_sense_are_refused() -> Result<(), Error> {
    // A transform says so where it is asked, and where it is applied.
    let check = |extents: [usize; 3], transform: &dyn Transform, reason: &str| {
        let debug = format!("{transform:?}");
        let name = debug.split(' ').next().unwrap_or_default();
        let expected = format!("{name}: {extents:?} f32 ({reason})");
        let error = transform.extents(extents).expect_err(&expected);
        assert_eq!(error.to_string(), expected);
        let error = transform.apply(ramp(extents)?, Some(&mut random(1))).expect_err(&expected);
        assert_eq!(error.to_string(), expected);
        Ok::<_, Error>(())
    };
    let refused = |transform: &dyn Transform, reason: &str| check([3, 8, 9], transform, reason);
    refused(&Resize::new([0, 4]), "rows must be positive, not 0")?;
    refused(&Resize::new([usize::MAX, 4]), "more than 2147483647 elements")?;
    let window = "a window spanning 10 elements does not fit in 9, padding included";
    refused(&CenterCrop::new([8, 10]), window)?;
    let crop = RandomCrop::new([8, 8]);
    let window = "a window spanning 13 elements does not fit in 12, padding included";
    refused(&RandomCrop::new([13, 10]).padding(2, 0.0), window)?;
    refused(&RandomCrop::new([8, 0]), "columns must be positive, not 0")?;
    let padding = "the padding is more than there is to repeat";
    refused(&crop.padding(8, PadMode::Reflect), padding)?;
    refused(&crop.padding(9, PadMode::Circular), padding)?;
    refused(&crop.padding(usize::MAX, 0.0), "more than 2147483647 elements")?;
    refused(&crop.padding(1, f64::NAN), "padding value must be finite, not NaN")?;
    let crop = RandomResizedCrop::new([4, 4]);
    refused(&crop.clone().scale(0.5..=1.5), "scale must be in [0, 1], not 1.5")?;
    let range = "scale must be a range from low to high, not 0.5";
    refused(&crop.clone().scale(0.5..=0.25), range)?;
    refused(&crop.ratio(0.0..=1.0), "ratio must be positive, not 0")?;
    let flip = RandomFlip::vertical();
    refused(&flip.probability(f64::NAN), "probability must be in [0, 1], not NaN")?;
    refused(&flip.probability(-0.5), "probability must be in [0, 1], not -0.5")?;
    refused(&RandomAffine::rotation(-1.0), "degrees must be at least 0, not -1")?;
    let affine = RandomAffine::new();
    refused(&affine.clone().translate([0.0, 2.0]), "translate must be in [0, 1], not 2")?;
    refused(&affine.clone().scale(0.0..=1.0), "scale must be positive, not 0")?;
    refused(&affine.clone().shear(90.0), "shear must be from 0 to below 90, not 90")?;
    refused(&affine.fill(f64::INFINITY), "fill must be finite, not inf")?;
    let jitter = ColorJitter::new();
    refused(&jitter.brightness(-0.1), "brightness must be at least 0, not -0.1")?;
    refused(&jitter.contrast(f64::NAN), "contrast must be at least 0, not NaN")?;
    refused(&jitter.saturation(-1.0), "saturation must be at least 0, not -1")?;
    refused(&jitter.hue(0.6), "hue must be in [0, 0.5], not 0.6")?;
    check([1, 8, 9], &jitter.hue(0.1), "saturation and hue need three channels")?;
    check([4, 8, 9], &jitter, "colors have one channel or three")?;
    check([1, 8, 9], &Grayscale, "a gray is made from three channels")?;
    let normalize = Normalize::new([0.5], [0.5; 3]);
    refused(&normalize, "channels and means differ: 3 and 1")?;
    let normalize = Normalize::new([0.5; 3], [0.5, 0.0, 0.5]);
    refused(&normalize, "standard deviation must be positive, not 0")?;
    let normalize = Normalize::new([f32::NAN; 3], [0.5; 3]);
    refused(&normalize, "mean must be finite, not NaN")?;
    let erasing = RandomErasing::new();
    refused(&erasing.clone().ratio(-1.0..=1.0), "ratio must be positive, not -1")?;
    refused(&erasing.value(f64::NAN), "value must be finite, not NaN")?;
    refused(&CutOut::new(0), "side must be positive, not 0")?;
    refused(&CutOut::new(3).holes(0), "holes must be positive, not 0")?;
    refused(&CutOut::new(3).holes(usize::MAX), "more than 2147483647 elements")?;
    refused(
        &CutOut::new(3).value(1e39),
        "value must be finite in f32, not 1000000000000000000000000000000000000000",
    )?;
    refused(
        &jitter.contrast(1e39),
        "contrast must be finite in f32, not 1000000000000000000000000000000000000000",
    )
}

#[test]
fn data_without_images_are_refused() -> Result<(), Error> {
    let data = ArrayDataset::new([
        ("x", Array::full([4, 8, 8], 0.5f32)?),
        ("inputs", Array::full([4, 1, 8, 8], 1u32)?),
        ("targets", Array::full([4], 1u32)?),
    ])?;
    let text = |field: &str| {
        let set = Augmented::of_field(field, &data, RandomFlip::vertical(), 1);
        set.map(|_| ()).expect_err("it does not fit").to_string()
    };
    assert_eq!(text("x"), "Image: [8, 8] f32 (an image is [channels, rows, columns])");
    assert_eq!(text("inputs"), "the images hold u32, not f32");
    assert!(text("y").starts_with("the data have no field \"y\""));
    let mixed = |names, classes, alpha| {
        let set = MixUp::of_fields(names, &data, classes, alpha, 1);
        set.map(|_| ()).expect_err("it does not fit").to_string()
    };
    assert_eq!(mixed(["inputs", "targets"], 2, 1.0), "the inputs hold u32, not f32");
    assert_eq!(mixed(["x", "x"], 2, 1.0), "the targets hold f32, not u32");
    let end = "(the target of a row is one class)";
    assert!(mixed(["x", "inputs"], 2, 1.0).ends_with(end));
    assert!(mixed(["x", "targets"], 0, 1.0).ends_with("(classes must be positive, not 0)"));
    assert!(mixed(["x", "targets"], 2, f64::NAN).ends_with("(alpha must be positive, not NaN)"));
    assert!(CutMix::of_fields(["x", "targets"], &data, 2, 1.0, 1).is_err());
    let one = MixUp::of_fields(["x", "targets"], &data, 1, 1.0, 1)?;
    for error in [one.get(&[0]), one.draw(&[0], &[1])].map(|batch| batch.expect_err("of one class"))
    {
        assert_eq!(error.to_string(), "one_hot: [1] u32 (index 1 is out of range for extent 1)");
    }
    Ok(())
}

#[test]
fn a_transform_that_breaks_its_word_is_refused() -> Result<(), Error> {
    #[derive(Debug)]
    struct Liar;
    impl Transform for Liar {
        fn extents(&self, [channels, rows, columns]: [usize; 3]) -> Result<[usize; 3], Error> {
            Ok([channels, columns, rows])
        }
        fn apply(&self, image: Image, _: Option<&mut Random>) -> Result<Image, Error> {
            Ok(image)
        }
    }
    let data = labeled([1, 2, 3])?;
    let error = Augmented::new(&data, Liar, 1)?.get(&[0]).expect_err("it lied").to_string();
    assert_eq!(error, "Augmented: [1, 2, 3] f32 (cannot become [1, 3, 2])");
    let error = Image::new([1, 2, 3], vec![0.0; 5]).expect_err("one is missing");
    assert!(matches!(error, Error::Variable(VariableError::Length { len: 5, .. })));
    assert!(Image::new([1, 0, 3], vec![]).is_err());
    assert!(Image::new([usize::MAX, 2, 2], vec![]).is_err());
    Ok(())
}
