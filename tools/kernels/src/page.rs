//! `docs/kernels.md`.

use crate::{
    measure::{Measure, TERMS},
    survey::{Row, TARGETS, UnitRow},
};
use std::fmt::{self, Write};

/// The targets as the page names them, and what their occupancy counts.
const NAMES: [(&str, &str); TARGETS.len()] =
    [("Hopper", "warps an SM"), ("navi33", "waves a SIMD"), ("M1", "threads")];

/// Least percents of multiply-adds in the hottest loop of a kernel whose file begins so, on targets by
/// their positions.
const PROMISES: [(&str, &[(usize, f64)]); 2] =
    [("matmul", &[(0, 78.0), (1, 70.0)]), ("convolution", &[(0, 65.0), (1, 65.0)])];

/// Sum a handful of terms for each element that they read, so that memory bounds them.
const NO_PRODUCTS: [&str; 2] = ["convolution_depthwise", "matmul_vector"];

/// The whole page.
pub fn page(rows: &[Row], on_units: &[UnitRow], mesa: &str) -> Result<String, fmt::Error> {
    let mut page = INTRODUCTION.replace("{mesa}", mesa).replace("{terms}", &TERMS.to_string());
    products(&mut page, rows)?;
    units(&mut page, on_units)?;
    others(&mut page, rows)?;
    not_there_yet(&mut page, rows)?;
    Ok(page)
}

fn products(page: &mut String, rows: &[Row]) -> fmt::Result {
    page.push_str(PRODUCTS);
    for (target, (name, occupancy)) in NAMES.iter().enumerate() {
        writeln!(page, "### {name}\n")?;
        writeln!(
            page,
            "| kernel | registers | local bytes | {occupancy} | multiply-adds | instructions each |"
        )?;
        writeln!(page, "|---|---|---|---|---|---|")?;
        for row in rows.iter().filter(|row| row.is_product) {
            let both = |cell: fn(&Measure) -> String| {
                let trusted = cell(&row.trusted[target]);
                match row.checked.map(|checked| cell(&checked[target])) {
                    Some(checked) if checked != trusted => format!("{trusted} ({checked})"),
                    _ => trusted,
                }
            };
            writeln!(
                page,
                "| `{}` | {} | {} | {} | {} | {} |",
                row.name,
                both(|measure| measure.registers.to_string()),
                both(|measure| measure.local.to_string()),
                both(|measure| measure.occupancy.to_string()),
                both(|measure| percent(measure.share)),
                both(|measure| {
                    measure.per_multiply_add.map_or("-".to_owned(), |count| format!("{count:.2}"))
                }),
            )?;
        }
        page.push('\n');
    }
    Ok(())
}

fn units(page: &mut String, rows: &[UnitRow]) -> fmt::Result {
    page.push_str(UNITS);
    for UnitRow { name, target, measure } in rows {
        let Measure { registers, local, occupancy, share, matrices, .. } = measure;
        let each = share.map_or("-".to_owned(), |share| format!("{:.1}", 1.0 / share));
        writeln!(
            page,
            "| `{name}` | {target} | {registers} | {local} | {occupancy} | {matrices} | {each} |"
        )?;
    }
    page.push('\n');
    Ok(())
}

fn others(page: &mut String, rows: &[Row]) -> fmt::Result {
    page.push_str(OTHERS);
    let columns = NAMES.map(|(name, occupancy)| {
        format!(" {name}: registers | local bytes | {occupancy} | multiply-adds |")
    });
    writeln!(page, "| file | kernels |{}", columns.concat())?;
    writeln!(page, "|---|---|{}", "---|".repeat(4 * NAMES.len()))?;
    for row in rows.iter().filter(|row| !row.is_product) {
        let cells = row.trusted.map(|Measure { registers, local, occupancy, share, .. }| {
            format!(" {registers} | {local} | {occupancy} | {} |", percent(share))
        });
        writeln!(page, "| `{}` | {} |{}", row.name, row.kernels, cells.concat())?;
    }
    page.push('\n');
    Ok(())
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.1}%", 100.0 * share))
}

fn not_there_yet(page: &mut String, rows: &[Row]) -> fmt::Result {
    page.push_str(NOT_THERE_YET);
    let mut is_kept = true;
    let mut say = |page: &mut String, line: String| {
        is_kept = false;
        writeln!(page, "* {line}")
    };
    for row in rows {
        let uses = NAMES.iter().zip(&row.trusted).filter(|(_, on)| !on.is_in_registers());
        let uses: Vec<_> = uses
            .map(|((name, _), on)| match on.spills {
                0.0 => format!("{} bytes on {name}", on.local),
                spills => format!("{} bytes and {spills} spills on {name}", on.local),
            })
            .collect();
        if !uses.is_empty() {
            say(page, format!("`{}` uses local memory: {}.", row.name, uses.join(", ")))?;
        }
        let promise = PROMISES.iter().find(|(file, _)| row.name.starts_with(file));
        let promise =
            promise.filter(|_| !NO_PRODUCTS.iter().any(|file| row.name.starts_with(file)));
        let missed =
            promise.iter().flat_map(|(_, least)| least.iter()).filter_map(|(target, least)| {
                let share = row.trusted[*target].share;
                let is_missed = 100.0 * share.unwrap_or(0.0) < *least;
                is_missed.then(|| format!("{} of {least}% on {}", percent(share), NAMES[*target].0))
            });
        let missed: Vec<_> = missed.collect();
        if !missed.is_empty() {
            say(page, format!("`{}` has too few multiply-adds: {}.", row.name, missed.join(", ")))?;
        }
    }
    if is_kept {
        page.push_str("Every kernel is there.\n");
    }
    Ok(())
}

const INTRODUCTION: &str = "\
# Kernels as compilers see them

A shader that is correct may still be slow for reasons that no test of results sees: sums that lie in memory
because an array is indexed by a loop, one multiply-add among three instructions of addresses. The figures
here are of the compilers of Mesa {mesa}, for GPUs that need not be there: NAK for an NVIDIA H100 (Hopper), ACO
for an AMD Radeon RX 7600 (navi33), AGX for an Apple M1. ACO is what AMD's users on Linux run. NAK is not
NVIDIA's compiler and AGX is not Apple's: registers and schedules differ there, while arrays in memory and wasted
instructions are much the same. Nothing here was run, and no figure is a time.

`tools/kernels/table` makes this page again (Linux on x86-64; root once, for a Debian of its own: see
`tools/kernels/README.md`), and `tools/kernels/floors.tsv` along with it: `tools/kernels/check`, a step of
`.ci/run`, fails where a kernel gets worse than it was there.

Kernels are those that the samples of operations assemble, in all their variants: one text for each file of `shaders/`, type
of elements and set of overrides, namely the shortest, in which least is fused. The form is the trusted one: without checks of indices
and loops, and without zeros in workgroup memory. Buffers are bound with `robustBufferAccess2`, as wgpu does.

* **Registers** are of 32 bits, for an invocation; on M1 they are of 16 bits.
* **Local bytes** are memory for spilled registers and for arrays that no register can hold. ACO and AGX keep small
  arrays in registers and select one of them by comparing the index with each: that costs instructions instead.
* **Occupancy** is how much fits by registers and workgroup memory, as each driver counts it: warps an SM on Hopper
  (at most 64), waves a SIMD on navi33 (at most 32), threads of a workgroup on M1 (at most 1,024).
* **Multiply-adds** are their share of the instructions in the loop that has most of those that sum, loops within it not
  counted: the most of a GPU's peak that the kernel can reach by issuing. One that sums adds to what its register has
  from the pass before, or to the result of another that does. Both halves of a dual instruction count, and so do waits.
  In `convolution_direct` that loop lies within the one that loads where the compiler did not unroll it: decision 41
  counts both.
* **Instructions each** is how many instructions the whole kernel issues for one multiply-add, if every
  accumulator gets {terms} terms: with `A` accumulators, `S` multiply-adds and `N` instructions in a pass of that
  loop, and `M` instructions outside of it, it is `(M + N * {terms} * A / S) / ({terms} * A)`. All `M` count once,
  those on both sides of a branch too. It is not given where the loop lies within another, of which a listing does
  not say how often it runs.

";

const PRODUCTS: &str = "\
## Products

Kernels whose hottest loop is at least 20% multiply-adds on one of the targets. In parentheses is the checked form, that
of `create_shader_module` in wgpu, where it differs.

";

const UNITS: &str = "\
## Products and convolutions on matrix units

Of matrices of 16 x 16, for subgroups as each target has them. *Matrix instructions* are those of a step, and
*instructions each* how many of all kinds the step has for one of them: `HMMA` of 16 x 8 x 16 on Hopper, `WMMA` of 16 x 16 x 16 on
navi33. Those of 8 x 8 run on lavapipe, and no compiler here has them for a GPU. Those of 16 x 16 were compiled, no more: what ran
on a card, an H200, was a prototype of them ([performance](performance.md)).

NAK reads an f16 at a time where a buffer is bound with `robustBufferAccess2`, four loads and two conversions for a vec4, and moves
accumulators from register to register within a step. ACO does neither. RDNA 3 keeps each operand twice, which is why the large tile of
split operands is not for subgroups of 64.

| kernel | target | registers | local bytes | occupancy | matrix instructions | instructions each |
|---|---|---|---|---|---|---|
";

const OTHERS: &str = "\
## Other kernels

A line has, in each column, the worst figure of all kernels of a file that are not listed above.

";

const NOT_THERE_YET: &str = "\
## Not there yet

No kernel should use local memory on any of the three. A matrix product should be 78% multiply-adds on Hopper and 70%
on navi33, and the three passes of a convolution 65% on both. These are not there:

";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, local: f64, share: f64) -> Row {
        let measure = Measure {
            registers: 40.0,
            local,
            spills: 0.0,
            occupancy: 48.0,
            share: Some(share),
            matrices: 0,
            per_multiply_add: Some(2.0),
        };
        Row {
            name: name.to_owned(),
            kernels: 1,
            is_product: share > 0.3,
            trusted: [measure; TARGETS.len()],
            checked: None,
        }
    }

    #[test]
    fn broken_promises_are_listed() -> fmt::Result {
        let rows = [
            row("attention", 64.0, 0.07),
            row("convolution EDGE=16", 0.0, 0.65),
            row("convolution_depthwise", 0.0, 0.1),
            row("matmul EDGE=16", 0.0, 0.75),
            row("softmax", 0.0, 0.01),
        ];
        let page = page(&rows, &[], "26.2.6")?;
        let (_, list) = page.split_once("## Not there yet").ok_or(fmt::Error)?;
        let list: Vec<_> = list.lines().filter(|line| line.starts_with("* ")).collect();
        let expected = [
            "* `attention` uses local memory: 64 bytes on Hopper, 64 bytes on navi33, 64 bytes on M1.",
            "* `matmul EDGE=16` has too few multiply-adds: 75.0% of 78% on Hopper.",
        ];
        assert_eq!(list, expected);
        Ok(())
    }

    #[test]
    fn a_page_without_broken_promises_says_so() -> fmt::Result {
        assert!(
            page(&[row("matmul", 0.0, 0.8)], &[], "26")?.ends_with("\nEvery kernel is there.\n")
        );
        Ok(())
    }
}
