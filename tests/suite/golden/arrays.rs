//! Arrays as text, against NumPy: `golden/arrays.py` wrote what it prints.

use super::{entries, integer, integers, list, text};
use wgrad::{Array, DType, Error, Meta};

#[test]
fn arrays_are_printed_as_numpy_does() -> Result<(), Error> {
    let cases = entries("arrays.json");
    assert!(cases.len() > 300);
    let mut wrong = vec![];
    for case in &cases {
        let named = |dtype: &&DType| dtype.to_string() == text(&case["dtype"]);
        let dtype = *DType::ALL.iter().find(named).expect("an element type");
        let words = list(&case["words"], |word| word.as_u64().expect("a word") as u32);
        let array = Array::from_words(Meta::new(integers(&case["shape"]), dtype), words)?;
        let printed = match &case["precision"] {
            precision if precision.is_null() => format!("{array}"),
            precision => format!("{array:.*}", integer(precision)),
        };
        if printed != text(&case["text"]) {
            wrong.push(format!(
                "{array:?} {}\n{printed}\n{}",
                case["precision"],
                text(&case["text"])
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
    Ok(())
}
