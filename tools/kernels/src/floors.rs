//! Figures that no kernel may fall below, in a file that is part of the project.

use crate::{
    Failure,
    measure::Measure,
    survey::{Row, TARGETS, UnitRow},
};
use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

/// The floors, and the compilers that they are of.
#[derive(Debug, Default, PartialEq)]
pub struct Floors {
    /// The version of Mesa.
    pub mesa: String,
    /// By kernel and target. What is not there has the default.
    floors: BTreeMap<(String, String), Floor>,
}

/// A kernel that keeps everything in registers, and is no product, needs no line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Floor {
    /// At most so many bytes of local memory.
    local: f64,
    /// At most so many values are spilled.
    spills: f64,
    /// At least so many percent of multiply-adds in the hottest loop of a product.
    share: f64,
}

impl Floor {
    fn of(measure: &Measure, is_product: bool) -> Self {
        let share = measure.share.filter(|_| is_product).unwrap_or(0.0);
        Floor { local: measure.local, spills: measure.spills, share: (100.0 * share).floor() }
    }
}

impl Floors {
    /// Those of the rows, shares rounded down to percents.
    pub fn of(rows: &[Row], units: &[UnitRow], mesa: &str) -> Self {
        let mut floors = BTreeMap::new();
        for (name, target, measure, is_product) in figures(rows, units) {
            let floor = Floor::of(measure, is_product);
            if floor != Floor::default() {
                floors.insert((name.to_owned(), target.to_owned()), floor);
            }
        }
        Floors { mesa: mesa.to_owned(), floors }
    }

    /// Reads a file that [`write`](Self::write) has written.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        Self::parse(&fs::read_to_string(path)?)
            .map_err(|line| format!("{}: {line:?} is no floor", path.display()).into())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut floors = Floors::default();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix('#') {
                if let Some(version) = comment.strip_prefix(MESA) {
                    floors.mesa = version.to_owned();
                }
                continue;
            }
            let fields: Vec<_> = line.split('\t').collect();
            let [kernel, target, local, spills, share] = fields[..] else {
                return Err(line.to_owned());
            };
            let number = |text: &str| text.parse::<f64>().map_err(|_| line.to_owned());
            let floor =
                Floor { local: number(local)?, spills: number(spills)?, share: number(share)? };
            floors.floors.insert((kernel.to_owned(), target.to_owned()), floor);
        }
        Ok(floors)
    }

    /// Writes them, a line each.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        Ok(fs::write(path, self.text()?)?)
    }

    fn text(&self) -> Result<String, Failure> {
        let mut text = format!("{HEADER}#{MESA}{}\n", self.mesa);
        for ((kernel, target), Floor { local, spills, share }) in &self.floors {
            writeln!(text, "{kernel}\t{target}\t{local}\t{spills}\t{share}")?;
        }
        Ok(text)
    }

    /// A line for every way in which a kernel is worse than its floor, and for every floor of a kernel
    /// that is not there.
    pub fn failures(&self, rows: &[Row], units: &[UnitRow]) -> Vec<String> {
        let mut failures = Vec::new();
        let mut unused: Vec<_> = self.floors.keys().collect();
        for (name, target, measure, _) in figures(rows, units) {
            let key = (name.to_owned(), target.to_owned());
            unused.retain(|unused| **unused != key);
            let floor = self.floors.get(&key).copied().unwrap_or_default();
            let at = format!("{name} on {target}");
            if measure.local > floor.local {
                let bytes = measure.local;
                failures.push(format!("{at}: {bytes} bytes of local memory, not {}", floor.local));
            }
            if measure.spills > floor.spills {
                let count = measure.spills;
                failures.push(format!("{at}: {count} spills, not {}", floor.spills));
            }
            let share = 100.0 * measure.share.unwrap_or(0.0);
            if share < floor.share {
                let least = floor.share;
                failures.push(format!("{at}: {share:.1}% multiply-adds, not {least}%"));
            }
        }
        let gone = unused.iter().map(|(kernel, target)| {
            format!("{kernel} on {target}: there is a floor, but no such kernel")
        });
        failures.extend(gone);
        failures
    }
}

/// Each kernel on each target, and whether it is a product.
fn figures<'a>(
    rows: &'a [Row],
    units: &'a [UnitRow],
) -> impl Iterator<Item = (&'a str, &'static str, &'a Measure, bool)> {
    let of_row = |row: &'a Row| {
        let on = TARGETS.into_iter().zip(&row.trusted);
        on.map(|(target, measure)| (row.name.as_str(), target, measure, row.is_product))
    };
    let on_units = units.iter().map(|row| (row.name.as_str(), row.target, &row.measure, true));
    rows.iter().flat_map(of_row).chain(on_units)
}

const MESA: &str = " Mesa ";

const HEADER: &str = "\
# Floors of kernels: what a compiler makes of them may not get worse. Written by tools/kernels/table.
# kernel, target, bytes of local memory at most, spills at most, percent of multiply-adds in the hottest loop at least
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
            per_multiply_add: None,
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
    fn a_file_has_what_was_written() -> Result<(), Failure> {
        let rows =
            [row("attention", 64.0, 0.07), row("matmul EDGE=16", 0.0, 0.483), row("map", 0.0, 0.0)];
        let floors = Floors::of(&rows, &[], "26.2.6");
        let text = floors.text()?;
        assert!(text.contains("\nmatmul EDGE=16\thopper\t0\t0\t48\n"), "{text}");
        assert!(text.contains("\nattention\tm1\t64\t0\t0\n") && !text.contains("map"), "{text}");
        assert_eq!(Floors::parse(&text)?, floors);
        assert_eq!(floors.failures(&rows, &[]), [""; 0]);
        Ok(())
    }

    #[test]
    fn worse_kernels_and_lost_ones_fail() {
        let floors =
            Floors::of(&[row("a", 64.0, 0.1), row("b", 0.0, 0.48), row("c", 0.0, 0.9)], &[], "26");
        let failures = floors
            .failures(&[row("a", 65.0, 0.0), row("b", 0.0, 0.479), row("new", 4.0, 0.0)], &[]);
        let first: Vec<_> = failures.iter().step_by(TARGETS.len()).collect();
        let expected = [
            "a on hopper: 65 bytes of local memory, not 64",
            "b on hopper: 47.9% multiply-adds, not 48%",
            "new on hopper: 4 bytes of local memory, not 0",
            "c on hopper: there is a floor, but no such kernel",
        ];
        assert_eq!(first, expected);
    }

    #[test]
    fn better_kernels_pass() {
        let floors = Floors::of(&[row("a", 64.0, 0.1), row("b", 0.0, 0.48)], &[], "26");
        assert_eq!(floors.failures(&[row("a", 0.0, 0.1), row("b", 0.0, 0.8)], &[]), [""; 0]);
    }
}
