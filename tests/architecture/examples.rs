//! The reader on crates of a few lines.

use crate::{
    edges::{Edges, edges},
    order::Order,
};

/// `gpu` is below `ops`, so whatever `ops/user.rs` takes from there runs up; and each file that
/// it may be taken from uses `ops/user.rs`, so it goes in a circle too.
const TABLE: &str =
    "| where | what |\n|---|---|\n| `ops/` | above |\n| `gpu/` `bin/tool/` | below |";

const BELOW: &[(&str, &str)] = &[
    ("lib.rs", "mod gpu; mod ops; pub use gpu::Device as Adapter; pub use gpu::memory::*;"),
    ("ops/mod.rs", "mod user; use crate::gpu::Device; use crate::gpu::memory::*;"),
    (
        "gpu/mod.rs",
        "mod device; pub mod memory; pub use self::device::{self, Device, open};
        use crate::ops::user::back; pub fn name() {} pub const X: u32 = 1;",
    ),
    ("gpu/device.rs", "use crate::ops::user::back; pub struct Device; pub fn open() {}"),
    ("gpu/memory.rs", "use crate::ops::user::back; pub struct Buffer; pub fn free() {}"),
    ("bin/tool/main.rs", "mod help; use wgrad::Adapter; fn main() { crate::help::print() }"),
    ("bin/tool/help.rs", "#[cfg(test)] mod trial; pub fn print() {}"),
    ("bin/tool/help/trial.rs", "use wgrad::Adapter;"),
];

fn edges_of(user: &str) -> Edges {
    let user = format!("{user} pub fn back() {{}}");
    let files = BELOW.iter().copied().chain([("ops/user.rs", &*user)]);
    let sources = files.map(|(file, text)| (file.to_owned(), text.to_owned())).collect();
    edges(&sources).expect("the examples are Rust")
}

/// Only those of the file `ops/user.rs`.
fn of_user(violations: Vec<String>) -> Vec<String> {
    violations.into_iter().filter(|line| line.contains("ops/user.rs")).collect()
}

#[test]
fn the_reader_sees_every_kind_of_path() {
    let order = Order::read(TABLE);
    let [root, device, memory] = ["gpu/mod.rs", "gpu/device.rs", "gpu/memory.rs"];
    for (user, used) in [
        // Imports.
        ("use crate::gpu::memory::Buffer;", memory),
        ("use std::fmt; use crate::{gpu::{self, memory::{Buffer}}, ops};", memory),
        ("use crate::gpu::memory::Buffer as B;", memory),
        ("use super::super::gpu::memory::Buffer;", memory),
        ("fn f() { use crate::gpu::memory::Buffer; }", memory),
        // Through imports of others.
        ("use crate::gpu::Device;", device),
        ("use crate::Adapter;", device),
        ("use crate::Buffer;", memory),
        ("use super::Device;", device),
        ("use super::Buffer;", memory),
        ("use super::*; fn f() -> Device {}", device),
        ("use super::*; fn f() { free() }", memory),
        ("pub use crate::gpu::Device; fn f() -> Device {}", device),
        // Paths in code.
        ("fn f() { crate::gpu::name() }", root),
        ("fn f(x: &[Option<crate::gpu::memory::Buffer>]) {}", memory),
        ("fn f() { super::super::gpu::memory::free() }", memory),
        ("use crate::gpu; fn f() { gpu::open() }", device),
        ("use crate::gpu as g; fn f() { g::memory::free::<u32>() }", memory),
        ("fn f() { crate::gpu::device::open() }", device),
        ("mod inner { fn f() { super::super::super::gpu::name() } }", root),
        ("mod inner { use super::g::Buffer; } use crate::gpu::memory as g;", memory),
        ("mod inner { pub use crate::gpu::X; } fn f() { inner::X }", root),
        // Macros and attributes.
        ("fn f() { vec![crate::gpu::X] }", root),
        ("fn f() { write!(f, \"{}\", crate::gpu::name()) }", root),
        ("macro_rules! m { ($x:expr) => { $crate::gpu::memory::free($x) } }", memory),
        ("macro_rules! m { ($x:ident) => { $crate::gpu::memory::$x() } }", memory),
        ("#[derive(crate::gpu::Device)] struct S;", device),
        // Items outside of tests.
        ("#[cfg(test)] mod tests { fn f() {} } use crate::gpu::Device;", device),
        ("#[cfg(any(test, unix))] use crate::gpu::Device;", device),
        ("struct S { #[cfg(test)] x: u32, y: crate::gpu::Device }", device),
        ("enum E { #[cfg(test)] A(u32), B(crate::gpu::Device) }", device),
    ] {
        let edges = edges_of(user);
        let edge = format!("ops/user.rs:1 -> {used}");
        let upward = of_user(order.upward(&edges, &[]));
        assert!(upward.len() == 1 && upward[0].starts_with(&edge), "{user}: {upward:?}");
        let circles = order.circles(&edges, "none");
        assert!(circles.len() == 1 && circles[0].contains(&edge), "{user}: {circles:?}");
    }
}

#[test]
fn the_reader_sees_nothing_else() {
    for user in [
        "pub use crate::gpu::Device;",
        "pub(crate) use crate::gpu::{memory::*, open};",
        "use std::vec::Vec; use wgpu::Device; fn f() -> Device {}",
        "use super::*; use wgpu::Device; fn f() -> Device {}",
        "use super::*; fn f(x: X) { x.free() } struct X;",
        "/// As crate::gpu::open() does.\nfn f() { \"crate::gpu::open()\" }",
        "fn f<'a>() -> impl Sized + use<'a> {}",
        "#[cfg(test)] use crate::gpu::Device;",
        "#[cfg(test)] mod tests { use crate::gpu::Device; }",
        "#[cfg(all(test, unix))] #[test] fn f() { crate::gpu::open() }",
        "impl S { #[cfg(test)] pub(super) fn f(x: A<B, C>) { crate::gpu::open() } }",
        "struct S { #[cfg(test)] device: crate::gpu::Device }",
    ] {
        let edges = edges_of(user);
        let used: Vec<_> = edges.keys().filter(|(from, _)| from == "ops/user.rs").collect();
        assert!(used.is_empty(), "{user}: {used:?}");
    }
}

#[test]
fn a_program_uses_the_library_and_its_own_modules() {
    let edges = edges_of("");
    let used = edges.keys().filter(|(from, _)| from.starts_with("bin")).map(|(_, to)| &**to);
    assert_eq!(used.collect::<Vec<_>>(), ["bin/tool/help.rs", "gpu/device.rs"]);
}

#[test]
fn an_exception_that_nothing_needs_is_reported() {
    let (order, exception) = (Order::read(TABLE), [("ops/user.rs", "gpu/device.rs", "")]);
    let needed = edges_of("use crate::gpu::Device;");
    assert_eq!(of_user(order.upward(&needed, &exception)), [""; 0]);
    let unused = of_user(order.upward(&edges_of(""), &exception));
    assert_eq!(unused, ["ops/user.rs -> gpu/device.rs is no longer used: strike the exception"]);
}

#[test]
fn only_files_of_one_row_may_be_tied() {
    let edges = edges_of("use crate::gpu::Device;");
    assert_eq!(Order::read(TABLE).circles(&edges, "ops").len(), 1);
    let tied = Order::read("| where | what |\n|---|---|\n| `gpu/` `ops/` | |");
    assert_eq!(tied.circles(&edges, "ops"), [""; 0]);
}

#[test]
fn the_longest_name_says_the_row() {
    let order = Order::read("| where | what |\n|---|---|\n| `gpu/memory/` | |\n| `a` `gpu/` | |");
    let rows = ["gpu/memory/pool.rs", "gpu/memory.rs", "gpu/mod.rs", "a.rs", "gpus.rs"];
    assert_eq!(rows.map(|file| order.row(file)), [Some(0), Some(0), Some(1), Some(1), None]);
}
