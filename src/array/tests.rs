use super::*;

#[test]
fn elements_are_read_as_what_they_are() -> Result<(), Error> {
    let array = Array::new([2], &[1.0f32, 2.0])?;
    assert_eq!(array.to_vec::<f32>()?, [1.0, 2.0]);
    let error = array.to_vec::<u32>().expect_err("they are f32").to_string();
    assert_eq!(error, "the array holds f32, not u32");
    let error = Array::new([2, 2], &[1.0f32; 5]).expect_err("it takes four").to_string();
    assert_eq!(error, "5 values cannot fill [2, 2], which takes 4");
    Ok(())
}

#[test]
fn rows_of_any_shape() -> Result<(), Error> {
    let three = Array::new([3, 2], &[0i32, 1, 10, 11, 20, 21])?;
    assert_eq!(three.rows(&[2, 0, 2])?, Array::new([3, 2], &[20i32, 21, 0, 1, 20, 21])?);
    let text = |array: &Array, rows: &[usize]| array.rows(rows).err().map(|e| e.to_string());
    let outside = text(&three, &[0, 5, 7]);
    assert_eq!(outside.as_deref(), Some("row 5 does not exist: the array [3, 2] has 3 rows"));
    let scalar = text(&Array::scalar(1.0f32), &[]);
    let none = "row 0 does not exist: the array is a scalar, and has no rows";
    assert_eq!(scalar.as_deref(), Some(none));
    // No elements, although the product of the other extents overflows.
    let none = Array::new([0, usize::MAX, 2], &[] as &[f32])?;
    assert_eq!(none.rows(&[])?, none);
    assert!(none.rows(&[0]).is_err());
    let empty = Array::new([2, 0, usize::MAX, 2], &[] as &[f32])?;
    assert_eq!(empty.rows(&[1])?.shape().dims(), [1, 0, usize::MAX, 2]);
    Ok(())
}

fn why<T>(result: Result<T, Error>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}

fn counted(dims: impl Into<Shape>) -> Result<Array, Error> {
    let shape = dims.into();
    let elements: Vec<i32> = (0..shape.len() as i32).collect();
    Array::from_vec(shape, elements)
}

#[test]
fn nested_rust_arrays_become_tensors() -> Result<(), Error> {
    let array = Array::from([[[1.0f32, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]]]);
    assert_eq!(array, Array::new([3, 1, 2], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?);
    assert_eq!(Array::from([1.5, 2.5]).dtype(), DType::F32);
    assert_eq!(Array::from(7u32), Array::scalar(7u32));
    assert_eq!(Array::from([true, false]), Array::new([2], &[true, false])?);
    let halves = [1.0, 0.1].map(half::f16::from_f32);
    assert_eq!(Array::from(vec![halves, halves]).slice(0, 1..)?, Array::new([1, 2], &halves)?);
    assert_eq!(Array::from(vec![[1i32, 2], [3, 4]]), Array::new([2, 2], &[1i32, 2, 3, 4])?);
    assert_eq!(Array::from([[0.0f32; 0]; 3]).shape().dims(), [3, 0]);
    let endless = vec![[[0u32; 0]; usize::MAX]; 2];
    assert_eq!(Array::from(endless).shape().dims(), [2, usize::MAX, 0]);
    Ok(())
}

#[test]
fn vectors_of_words_are_not_copied() -> Result<(), Error> {
    let elements = vec![1.0f32, -2.0, 3.0];
    let place = elements.as_ptr().cast::<u32>();
    let array = Array::from_vec([3], elements)?;
    assert_eq!(array.words().as_ptr(), place);
    let elements = array.reshape([1, -1])?.into_vec::<f32>()?;
    assert_eq!((elements.as_ptr().cast(), &elements[..]), (place, &[1.0f32, -2.0, 3.0][..]));
    assert_eq!(Array::from_vec([2], vec![true, false])?.into_vec::<bool>()?, [true, false]);
    assert_eq!(why(Array::from(1.0f32).into_vec::<i32>()), "the array holds f32, not i32");
    let error = why(Array::from_vec([2], vec![1u32]));
    assert_eq!(error, "1 values cannot fill [2], which takes 2");
    Ok(())
}

#[test]
fn elements_are_found_by_their_indices() -> Result<(), Error> {
    let array = counted([2, 3, 4])?;
    for (number, indices) in array.shape().coordinates().enumerate() {
        assert_eq!(array.at(&indices)?, number as f64);
    }
    assert_eq!(Array::from(2.5f32).at(&[])?, 2.5);
    assert_eq!(why(array.at(&[1, 3, 0])), "there is no element [1, 3, 0] in [2, 3, 4]");
    assert_eq!(why(array.at(&[1, 1])), "there is no element [1, 1] in [2, 3, 4]");
    assert_eq!(why(array.at(&[usize::MAX, 0, 0])).split(" in ").nth(1), Some("[2, 3, 4]"));
    assert!(array.iter::<i32>()?.rev().eq((0..24).rev()));
    assert_eq!(array.iter::<i32>()?.len(), 24);
    assert_eq!(why(array.iter::<f32>().map(drop)), "the array holds i32, not f32");
    Ok(())
}

#[test]
fn one_extent_may_follow_from_the_others() -> Result<(), Error> {
    let array = counted([2, 6])?;
    for (extents, dims) in
        [(&[3, -1][..], &[3, 4][..]), (&[-1], &[12]), (&[-1, 12, 1], &[1, 12, 1]), (&[12], &[12])]
    {
        let reshaped = array.clone().reshape(extents)?;
        assert_eq!((reshaped.shape().dims(), reshaped.words()), (dims, array.words()));
    }
    assert_eq!(Array::from(3i32).reshape([-1])?.shape().dims(), [1]);
    assert_eq!(counted([0, 3])?.reshape([-1, 7])?.shape().dims(), [0, 7]);
    let refuse = |extents: &[i64]| why(array.clone().reshape(extents));
    assert_eq!(refuse(&[5, 2]), "reshape: [2, 6] i32 (cannot become [5, 2])");
    assert_eq!(refuse(&[]), "reshape: [2, 6] i32 (cannot become [])");
    assert_eq!(refuse(&[5, -1]), "reshape: [2, 6] i32 (12 elements are not divisible by 5)");
    assert_eq!(
        refuse(&[-1, -1]),
        "reshape: [2, 6] i32 (only one extent can follow from the others)"
    );
    assert!(
        refuse(&[-2, 6]).contains("extent must be at least 0, or -1 for one that follows"),
        "{}",
        refuse(&[-2, 6])
    );
    assert!(refuse(&[i64::MAX, i64::MAX]).contains("cannot become"));
    assert!(refuse(&[i64::MAX, 3, -1]).contains("more than"));
    let none = why(counted([0])?.reshape([0, -1]));
    assert_eq!(none, "reshape: [0] i32 (an extent of -1 could be any beside one of 0)");
    Ok(())
}

#[test]
fn slices_are_what_their_indices_say() -> Result<(), Error> {
    let array = counted([3, 4, 5])?;
    for (axis, range) in [(0, 1..3), (1, 0..2), (2, 4..5), (-1, 2..2), (-3, 0..3)] {
        let sliced = array.slice(axis, range.clone())?;
        let at = axis.rem_euclid(3) as usize;
        let mut dims = [3, 4, 5];
        dims[at] = range.len();
        assert_eq!(sliced.shape().dims(), dims);
        for mut indices in sliced.shape().coordinates() {
            let element = sliced.at(&indices)?;
            indices[at] += range.start;
            assert_eq!(element, array.at(&indices)?);
        }
    }
    assert_eq!(array.slice(1, ..)?, array);
    assert_eq!(array.slice(1, 1..=2)?, array.slice(1, 1..3)?);
    assert_eq!(array.slice(1, -3..-1)?, array.slice(1, 1..3)?);
    let error = why(array.slice(1, -5..));
    assert_eq!(error, "slice: [3, 4, 5] i32 (start of the range must be within the axis, not -5)");
    let error = why(array.slice(1, 2..9));
    assert_eq!(error, "slice: [3, 4, 5] i32 (range 2..9 with step 1 is invalid for extent 4)");
    assert_eq!(why(array.slice(3, ..)), "slice: [3, 4, 5] i32 (axis 3 does not exist in rank 3)");
    #[expect(clippy::reversed_empty_ranges, reason = "it is refused")]
    let reversed = array.slice(0, 2..1);
    assert!(why(reversed).contains("range 2..1"));
    assert!(why(array.slice(0, ..=usize::MAX)).contains("is invalid for extent 3"));
    let empty = Array::new([2, 0, usize::MAX, 3], &[] as &[f32])?;
    assert_eq!(empty.slice(2, 5..)?.shape().dims(), [2, 0, usize::MAX - 5, 3]);
    Ok(())
}

#[test]
fn arrays_are_joined() -> Result<(), Error> {
    let array = counted([3, 4, 5])?;
    for axis in 0..3 {
        let parts = [array.slice(axis, ..1)?, array.slice(axis, 1..)?];
        assert_eq!(Array::concat(&parts, axis)?, array);
        assert_eq!(Array::concat(&[&parts[0], &parts[1]], axis - 3)?, array);
    }
    let parts: Vec<Array> = (0..4).map(|k| array.slice(1, k..k + 1)).collect::<Result<_, _>>()?;
    let parts: Vec<Array> =
        parts.into_iter().map(|part| part.reshape([3, 5])).collect::<Result<_, _>>()?;
    assert_eq!(Array::stack(&parts, 1)?, array);
    assert_eq!(Array::stack(&[Array::from(1i32), Array::from(2i32)], -1)?, Array::from([1i32, 2]));
    let (row, column) = (counted([1, 2])?, counted([2, 1])?);
    let error = why(Array::concat(&[&row, &column], 0));
    assert_eq!(error, "concat: [1, 2] i32 x [2, 1] i32 (extents differ: 2 and 1)");
    assert!(why(Array::stack(&[&row, &column], 0)).starts_with("stack: [1, 2] i32 x [2, 1] i32 ("));
    assert!(why(Array::concat(&[&row, &Array::from(1i32)], 0)).contains("numbers of axes differ"));
    assert!(why(Array::concat(&[&row, &Array::from([[1u32, 2]])], 0)).contains("types differ"));
    assert_eq!(
        why(Array::concat(&[&row], 2)),
        "concat: [1, 2] i32 (axis 2 does not exist in rank 2)"
    );
    assert_eq!(why(Array::concat(&[] as &[Array], 0)), "concat (needs at least one array)");
    let vast = Array::new([usize::MAX, 0], &[] as &[f32])?;
    assert_eq!(Array::concat(&[&vast, &vast], 1)?, vast);
    assert!(why(Array::concat(&[&vast, &vast], 0)).contains("more than"));
    Ok(())
}

#[test]
fn closeness_is_of_numbers() -> Result<(), Error> {
    let close = |a: [f32; 2], b: [f32; 2], rtol, atol| {
        Array::from(a).all_close(&Array::from(b), rtol, atol)
    };
    assert!(close([1.0, 100.0], [1.01, 101.0], 0.01, 0.0)?);
    assert!(!close([1.0, 100.0], [1.0, 102.0], 0.01, 0.0)?);
    assert!(close([0.0, 0.0], [0.5, -0.5], 0.0, 0.5)?);
    assert!(close([f32::INFINITY, -0.0], [f32::INFINITY, 0.0], 0.0, 0.0)?);
    assert!(!close([f32::INFINITY, 0.0], [f32::NEG_INFINITY, 0.0], 1.0, 1.0)?);
    assert!(!close([1.0, 0.0], [f32::INFINITY, 0.0], 1.0, 1.0)?);
    assert!(!close([f32::NAN, 0.0], [f32::NAN, 0.0], 1.0, 1.0)?);
    assert!(Array::from([1i32]).all_close(&Array::from([1.0f32]), 0.0, 0.0)?);
    for tolerance in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(why(close([0.0; 2], [0.0; 2], tolerance, 0.0)).contains("rtol must be at least 0"));
        assert!(why(close([0.0; 2], [0.0; 2], 0.0, tolerance)).contains("atol must be at least 0"));
    }
    let error = why(Array::from([1.0f32]).all_close(&Array::from(1.0f32), 0.0, 0.0));
    assert_eq!(error, "all_close: [1] f32 x [] f32 (the shapes must be equal)");
    Ok(())
}

#[test]
fn equality_is_of_bits() {
    assert_ne!(Array::from(0.0f32), Array::from(-0.0f32));
    assert_eq!(Array::from(f32::NAN), Array::from(f32::NAN));
    assert_ne!(Array::from([1.0f32]), Array::from(1.0f32));
    assert_ne!(Array::from(1u32), Array::from(1i32));
}

#[test]
fn one_value_fills_an_array() -> Result<(), Error> {
    assert_eq!(Array::full([2, 2], 3i32)?, Array::from([[3i32, 3], [3, 3]]));
    assert_eq!(Array::full([2], 0.0f32)?, Array::from([0.0f32, 0.0]));
    assert_eq!(Array::full([2], -0.0f32)?, Array::from([-0.0f32, -0.0]));
    assert!(Array::full([usize::MAX, 0], 1.0f32)?.words().is_empty());
    assert!(why(Array::full([usize::MAX, 2], 0.0f32)).contains("more than"));
    assert!(why(Array::full([usize::MAX / 8], 0.0f32)).contains("out of memory"));
    Ok(())
}

#[test]
fn scalars_are_printed_with_all_digits_and_debug_is_short() -> Result<(), Error> {
    let printed = |array: Array| array.to_string();
    assert_eq!(printed(Array::from(1.0f32 / 3.0)), "0.33333334");
    assert_eq!(printed(Array::from(half::f16::from_f32(0.1))), "0.1");
    assert_eq!(printed(Array::from(2.0f32)), "2.0");
    assert_eq!(printed(Array::from(-3i32)), "-3");
    assert_eq!(printed(Array::from(true)), "true");
    assert_eq!(printed(Array::from(f32::NAN)), "nan");
    assert_eq!(format!("{:.2}", Array::from(2.0f32 / 3.0)), "0.67");
    assert_eq!(format!("{:.0}", Array::from(2.0f32 / 3.0)), "1");
    let debug = format!("{:?}", Array::from([[0.5f32, 1.0], [f32::INFINITY, -0.0]]));
    assert_eq!(debug, "Array([2, 2] f32: 0.5, 1.0, inf, -0.0)");
    let debug = format!("{:?}", counted([1000])?);
    assert_eq!(debug, "Array([1000] i32: 0, 1, 2, 3, 4, 5, 6, 7, …)");
    assert_eq!(format!("{:?}", Array::new([0, 2], &[] as &[u32])?), "Array([0, 2] u32)");
    // Axes beyond what a recursion over them would survive.
    let deep = Array::new(vec![1; 100_000], &[1.0f32])?;
    assert_eq!(deep.to_string().len(), 200_002);
    Ok(())
}
