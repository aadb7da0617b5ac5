//! Each kind of hazard, and the program without it.

use super::run;
use crate::{
    dtype::DType,
    error::SimulationError,
    gpu::simulate::{Access, Hazard, Invocation},
};

const HEAD: &str = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
var<workgroup> tile: array<u32, 64>;
var<workgroup> count: atomic<u32>;
var<private> own: array<u32, 4>;
fn put(at: u32, value: u32) { tile[at] = value; }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) w: vec3<u32>) {
";

/// Hazards of a body whose first line is line 8, on two workgroups.
fn hazards(body: &str) -> Vec<Hazard> {
    let text = format!("{HEAD}{body}\n}}");
    let (report, _) = run(&text, [2, 1, 1], 128, DType::U32).expect("it ends");
    report.hazards
}

fn by(workgroup: u32, index: u32) -> Invocation {
    Invocation { workgroup: [workgroup, 0, 0], index }
}

#[test]
fn a_read_without_a_barrier_races_with_the_write() {
    let body = |barrier: &str| {
        format!("tile[i] = i;\n{barrier}\nlet x = tile[63u - i];\ny[w.x * 64u + i] = x;")
    };
    assert_eq!(hazards(&body("workgroupBarrier();")), []);
    let race = Hazard::Race {
        word: "tile[63]".to_owned(),
        first: Access { by: by(0, 63), line: 8, writes: true },
        second: Access { by: by(0, 0), line: 10, writes: false },
    };
    assert_eq!(hazards(&body("")), std::slice::from_ref(&race));
    // Storage is another memory.
    assert_eq!(hazards(&body("storageBarrier();")), [race]);
}

#[test]
fn a_write_without_a_barrier_races_with_the_read() {
    let body = |barrier: &str| {
        format!(
            "put(i, 1u);\nworkgroupBarrier();\nlet x = tile[(i + 1u) % 64u];\n{barrier}\n\
             tile[i] = x;\nworkgroupBarrier();\ny[w.x * 64u + i] = tile[i];"
        )
    };
    assert_eq!(hazards(&body("workgroupBarrier();")), []);
    let [Hazard::Race { word, first, second }] = &hazards(&body(""))[..] else {
        panic!("one race")
    };
    assert_eq!(word, "tile[0]");
    assert_eq!(*first, Access { by: by(0, 63), line: 10, writes: false });
    assert_eq!(*second, Access { by: by(0, 0), line: 12, writes: true });
}

#[test]
fn two_writes_of_a_word_race_even_if_they_write_the_same() {
    let found = hazards("tile[i / 2u] = 7u;");
    let [Hazard::Race { word, first, second }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&**word, first.by, second.by), ("tile[0]", by(0, 0), by(0, 1)));
    assert!(first.writes && second.writes);
}

#[test]
fn storage_is_shared_within_a_workgroup_behind_its_own_barrier() {
    let body = |barrier: &str| {
        format!("y[w.x * 64u + i] = i;\n{barrier}\ntile[i] = y[w.x * 64u + 63u - i];")
    };
    assert_eq!(hazards(&body("storageBarrier();")), []);
    for barrier in ["", "workgroupBarrier();"] {
        let found = hazards(&body(barrier));
        let [Hazard::Race { word, .. }, ..] = &found[..] else { panic!("{found:?}") };
        assert_eq!(word, "y[63]");
    }
}

/// No barrier orders workgroups.
#[test]
fn workgroups_race_for_a_word_of_storage() {
    let found = hazards("if i == 0u { y[5] = 1u; }\nstorageBarrier();");
    let [Hazard::Race { word, first, second }] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&**word, first.by, second.by), ("y[5]", by(0, 0), by(1, 0)));
    let read = hazards("if i == 0u { tile[0] = y[5];\nif w.x == 1u { y[5] = 1u; } }");
    let [Hazard::Race { first, second, .. }] = &read[..] else { panic!("{read:?}") };
    assert_eq!((first.writes, first.by.workgroup), (false, [0; 3]));
    assert_eq!((second.writes, second.by), (true, by(1, 0)));
}

#[test]
fn all_must_reach_a_barrier() {
    let diverges = |line, waits, misses| {
        vec![Hazard::DivergentBarrier { line, waits: by(0, waits), misses: by(0, misses) }]
    };
    assert_eq!(hazards("if w.x == 0u { workgroupBarrier(); }"), []);
    assert_eq!(hazards("if i < 32u { workgroupBarrier(); }"), diverges(8, 0, 32));
    assert_eq!(hazards("if i < 3u { return; }\nworkgroupBarrier();"), diverges(9, 3, 0));
    assert_eq!(
        hazards("for (var k = 0u; k < i; k += 1u) {\nworkgroupBarrier();\n}"),
        diverges(9, 1, 0)
    );
    let uniform = "if i == 0u { tile[0] = 3u; }\nlet n = workgroupUniformLoad(&tile[0]);\n\
                   for (var k = 0u; k < n; k += 1u) { workgroupBarrier(); }";
    assert!(!hazards(uniform).iter().any(|h| matches!(h, Hazard::DivergentBarrier { .. })));
}

#[test]
fn workgroup_memory_is_read_after_it_is_written() {
    let read = Access { by: by(0, 40), line: 10, writes: false };
    let word = "tile[40]".to_owned();
    assert_eq!(
        hazards("if i < 40u { tile[i] = i; }\nworkgroupBarrier();\ny[w.x * 64u + i] = tile[i];"),
        [Hazard::Unwritten { word, read }]
    );
    assert_eq!(hazards("tile[i] = i;\ny[w.x * 64u + i] = tile[i];"), []);
}

#[test]
fn indices_lie_within_their_arrays() {
    let past = |array: &str, index, len, lane| {
        let access = Access { by: by(0, lane), line: 8, writes: false };
        vec![Hazard::OutOfBounds { array: array.to_owned(), index, len, access }]
    };
    assert_eq!(hazards("if i == 9u { tile[i + 60u] = 1u; }"), past("tile", 69, 64, 9));
    assert_eq!(hazards("if i == 9u && w.x == 0u { y[i + 120u] = 1u; }"), past("y", 129, 128, 9));
    assert_eq!(hazards("own[i / 8u] = 1u;"), past("own", 4, 4, 32));
    assert_eq!(hazards("if i == 2u { own[i32(i) - 3] = 1u; }"), past("own", u32::MAX, 4, 2));
    let value = "let v = vec3(i); y[w.x * 64u + i] = v[i / 16u];";
    assert_eq!(hazards(value), past("v", 3, 3, 48));
    // What is not evaluated has no index.
    assert_eq!(hazards("if i < 4u && own[i] == 0u { own[i] = 1u; }"), []);
}

#[test]
fn atomics_add_up_in_any_order_once_they_are_cleared() {
    let body = |barriers: [&str; 2]| {
        let [zeroed, counted] = barriers;
        format!(
            "if i == 0u {{ atomicStore(&count, 0u); }}\n{zeroed}\natomicAdd(&count, i);\n{counted}\n\
             y[w.x * 64u + i] = atomicLoad(&count);"
        )
    };
    const BARRIER: &str = "workgroupBarrier();";
    let text = format!("{HEAD}{}\n}}", body([BARRIER, BARRIER]));
    let (report, words) = run(&text, [2, 1, 1], 128, DType::U32).expect("it ends");
    assert_eq!((report.hazards, words), (vec![], vec![2016; 128]));
    let unwritten = |lane, line| {
        let read = Access { by: by(0, lane), line, writes: false };
        Hazard::Unwritten { word: "count".to_owned(), read }
    };
    let uncleared = body([BARRIER, BARRIER]).replace("atomicStore(&count, 0u)", "");
    assert_eq!(hazards(&uncleared), [unwritten(0, 10), unwritten(0, 12)]);

    let unordered = |first: (u32, u32, bool), second: (u32, u32, bool)| {
        let [first, second] =
            [first, second].map(|(lane, line, writes)| Access { by: by(0, lane), line, writes });
        vec![Hazard::Unordered { word: "count".to_owned(), first, second }]
    };
    assert_eq!(hazards(&body(["", BARRIER])), unordered((0, 8, true), (1, 10, true)));
    assert_eq!(hazards(&body([BARRIER, ""])), unordered((1, 10, true), (0, 12, false)));
    // A flag that several set.
    const CLEARED: &str = "if i == 0u { atomicStore(&count, 0u); }\nworkgroupBarrier();\n";
    let flag = "if i > 9u { atomicStore(&count, 1u); }\nworkgroupBarrier();\n\
                if atomicLoad(&count) == 1u && i > 50u { atomicStore(&count, 1u); }";
    assert_eq!(hazards(&format!("{CLEARED}{flag}")), []);
    let different = "if i > 9u { atomicStore(&count, i); }";
    assert_eq!(hazards(different), unordered((10, 8, true), (11, 8, true)));
    let mixed = "if i > 9u { atomicAdd(&count, 1u); } else { atomicMax(&count, 7u); }";
    assert_eq!(hazards(&format!("{CLEARED}{mixed}")), unordered((10, 10, true), (0, 10, true)));
}

#[test]
fn what_does_not_end_is_an_error() {
    let text = format!("{HEAD}var k = i;\nloop {{\nk += 1u;\nif k == 0u {{ break; }}\n}}\n}}");
    let error = run(&text, [1, 1, 1], 64, DType::U32).expect_err("it does not end");
    assert!(matches!(error, SimulationError::Endless { line: 9, .. }), "{error}");
}

#[test]
fn what_is_not_known_is_an_error() {
    let unknown = |body: &str| {
        let text = format!("{HEAD}{body}\n}}");
        run(&text, [1, 1, 1], 64, DType::U32).expect_err("it is not known")
    };
    let error = unknown("let m = mat2x2f(1.0, 2.0, 3.0, 4.0) * f32(i);\ny[i] = u32(m[0].x);");
    assert!(matches!(error, SimulationError::Unsupported { line: 8, .. }), "{error}");
    assert!(matches!(unknown("y[i] = z;"), SimulationError::Invalid { .. }));
    let text = format!("@group(0) @binding(1) var<storage> x: array<u32>;\n{HEAD}y[i] = x[i];\n}}");
    let error = run(&text, [1, 1, 1], 64, DType::U32).expect_err("x is not there");
    assert_eq!(error, SimulationError::Unbound { variable: "x".to_owned() });
}
