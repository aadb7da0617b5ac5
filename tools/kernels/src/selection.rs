//! The constants by which tiles are chosen, from what a sweep has measured.
//!
//! `src/ops/tiles.rs` says that a tile takes `max(workgroups, BUSY) * rows * columns / share`, in units that differ
//! from product to product. Here `BUSY` and the shares are those that come closest to measured times.

use crate::Failure;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// Rows, columns and terms of a tile; a patch of images has its most positions as columns, that of a weight's
/// gradient its inputs, and either 0 terms.
type Tile = [usize; 3];

/// Workgroups that may be what keeps a device busy: from two for each multiprocessor of a small GPU to four
/// for each of a large one.
const BUSY: [usize; 12] = [16, 32, 48, 64, 96, 132, 160, 200, 264, 320, 400, 528];

/// Rounds in which shares and the units of products are adjusted in turns.
const ROUNDS: usize = 200;

/// A kernel of a product, as it was measured.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    tile: Tile,
    /// Elements of the tile, and how many there are of it.
    elements: usize,
    workgroups: f64,
    seconds: f64,
}

/// Measured tiles: for each step of a problem, its variants.
pub struct Table(Vec<Vec<Run>>);

impl Table {
    /// Reads what `wgrad sweep --json` prints: an object a line. Kernels without tiles, and those that are
    /// wrong, are left out, as are steps of which one variant is left.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut steps = BTreeMap::<(String, String), Vec<Run>>::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let row: Value = serde_json::from_str(line)
                .map_err(|error| format!("line {} is no row of a sweep: {error}", number + 1))?;
            let word = |name: &str| row[name].as_str().unwrap_or_default();
            let (Some(seconds), Some(workgroups)) =
                (row["median"].as_f64(), row["workgroups"].as_f64())
            else {
                continue;
            };
            let overrides: Vec<&str> = word("shader").split_whitespace().skip(1).collect();
            let value = |name: &str| {
                let pair = overrides.chunks_exact(2).find(|pair| pair[0] == name)?;
                pair[1].parse::<usize>().ok()
            };
            let area = |rows, columns| value(rows).zip(value(columns)).map(|(a, b)| a * b);
            // Columns of the matrix, and those that the tile is known by.
            let columns = if let Some(positions) = area("TILE_ROWS", "TILE_COLUMNS") {
                Some((positions, positions.next_power_of_two()))
            } else if let Some(taps) = area("WINDOW_ROWS", "WINDOW_COLUMNS") {
                value("CHANNELS").map(|inputs| (inputs * taps, inputs))
            } else {
                value("BN").map(|columns| (columns, columns))
            };
            if let (Some(rows), Some((columns, known))) = (value("BM"), columns) {
                let tile = [rows, known, value("BK").unwrap_or(0)];
                let run = Run { tile, elements: rows * columns, workgroups, seconds };
                let step = (word("problem").to_owned(), word("step").to_owned());
                steps.entry(step).or_default().push(run);
            }
        }
        let steps: Vec<_> = steps.into_values().filter(|runs| runs.len() > 1).collect();
        match steps.is_empty() {
            true => Err("the table has no step with several tiles".into()),
            false => Ok(Table(steps)),
        }
    }

    /// In how many steps a tile was measured.
    fn count(&self, tile: Tile) -> usize {
        self.0.iter().filter(|runs| runs.iter().any(|run| run.tile == tile)).count()
    }
}

/// The constants.
#[derive(Clone, Debug, PartialEq)]
pub struct Constants {
    busy: usize,
    /// Each list of tiles that compete; patches behind tiles compete with them.
    lists: Vec<Vec<(Tile, f64)>>,
}

/// The number behind a name in a line, and where it is.
fn number_in<'a>(line: &'a str, name: &str) -> Option<(usize, &'a str)> {
    let begin = line.find(name)? + name.len();
    let rest = &line[begin..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    Some((begin, &rest[..end]))
}

/// The kinds of lines of `src/ops/tiles.rs`.
enum Line {
    List,
    Tile(Tile),
    Busy,
    Other,
}

impl Line {
    fn of(line: &str) -> Self {
        let extent = |name| number_in(line, name).and_then(|(_, digits)| digits.parse().ok());
        match (extent("rows: "), extent("columns: "), extent("terms: ")) {
            (Some(rows), Some(columns), terms) => Line::Tile([rows, columns, terms.unwrap_or(0)]),
            _ if line.contains("const BUSY: usize = ") => Line::Busy,
            _ if line.starts_with("const ") && line.contains(": [Tile; ") => Line::List,
            _ => Line::Other,
        }
    }
}

const BUSY_IS: &str = "BUSY: usize = ";
const SHARE_IS: &str = "share: ";

impl Constants {
    /// Those of the text of `src/ops/tiles.rs`.
    pub fn parse(source: &str) -> Result<Self, Failure> {
        let (mut busy, mut lists) = (None, Vec::<Vec<(Tile, f64)>>::new());
        for line in source.lines() {
            match Line::of(line) {
                Line::List => lists.push(Vec::new()),
                Line::Tile(tile) => {
                    let share =
                        number_in(line, SHARE_IS).and_then(|(_, digits)| digits.parse().ok());
                    let list = lists.last_mut().ok_or("a tile is in no list")?;
                    list.push((tile, share.ok_or_else(|| format!("{line:?} has no share"))?));
                }
                Line::Busy => busy = number_in(line, BUSY_IS).and_then(|(_, n)| n.parse().ok()),
                Line::Other => {}
            }
        }
        let busy = busy.ok_or("there is no BUSY")?;
        Ok(Constants { busy, lists })
    }

    /// The text with these constants in the places of its own.
    pub fn written_into(&self, source: &str) -> String {
        let mut text = String::with_capacity(source.len());
        for line in source.split_inclusive('\n') {
            let replaced = match Line::of(line) {
                Line::Tile(tile) => self.share(tile).map(|share| (SHARE_IS, format!("{share:.2}"))),
                Line::Busy => Some((BUSY_IS, self.busy.to_string())),
                Line::List | Line::Other => None,
            };
            match replaced.and_then(|(name, new)| Some((number_in(line, name)?, new))) {
                Some(((begin, old), new)) => {
                    text.extend([&line[..begin], &new, &line[begin + old.len()..]]);
                }
                None => text.push_str(line),
            }
        }
        text
    }

    fn share(&self, tile: Tile) -> Option<f64> {
        let known = self.lists.iter().flatten().find(|(known, _)| *known == tile);
        known.map(|(_, share)| *share)
    }

    /// How long a kernel takes, in the units of its product.
    fn time(&self, run: &Run) -> f64 {
        area(run, self.busy) / self.share(run.tile).unwrap_or(f64::MIN_POSITIVE)
    }

    /// How many times as long as the fastest kernel of a step the one takes that these constants choose.
    fn regret(&self, runs: &[Run]) -> f64 {
        let by = |time: &dyn Fn(&Run) -> f64| {
            let best = runs.iter().min_by(|a, b| time(a).total_cmp(&time(b)));
            best.map_or(f64::NAN, |run| run.seconds)
        };
        by(&|run| self.time(run)) / by(&|run| run.seconds)
    }

    /// The same over a table: the geometric mean, and the worst.
    fn regrets(&self, table: &Table) -> (f64, f64) {
        let regrets: Vec<f64> = table.0.iter().map(|runs| self.regret(runs)).collect();
        let mean = regrets.iter().map(|regret| regret.ln()).sum::<f64>() / regrets.len() as f64;
        (mean.exp(), regrets.into_iter().fold(1.0, f64::max))
    }

    /// Those that choose best from a table; of several that do, those whose times come closest. The largest share
    /// of a list stays what it is, as do those of tiles that were not measured.
    pub fn fitted(&self, table: &Table) -> Self {
        let candidates =
            BUSY.into_iter().chain([self.busy]).map(|busy| self.with_busy(busy, table));
        let score =
            |(constants, residual): &(Constants, f64)| (constants.regrets(table).0, *residual);
        let better = |a: &(f64, f64), b: &(f64, f64)| {
            let by_regret = ((a.0 * 1e3).round()).total_cmp(&(b.0 * 1e3).round());
            by_regret.then(a.1.total_cmp(&b.1))
        };
        let best = candidates.min_by(|a, b| better(&score(a), &score(b)));
        best.map_or_else(|| self.clone(), |(constants, _)| constants)
    }

    /// The shares for a number of workgroups, and the sum of squares by which logarithms of times differ.
    fn with_busy(&self, busy: usize, table: &Table) -> (Self, f64) {
        // The logarithm of a time without workgroups: the unit of its product, less the share.
        let rest = |run: &Run| run.seconds.ln() - area(run, busy).ln();
        let mut shares: BTreeMap<Tile, f64> = BTreeMap::new();
        let share =
            |shares: &BTreeMap<Tile, f64>, run: &Run| shares.get(&run.tile).copied().unwrap_or(0.0);
        let unit = |shares: &BTreeMap<Tile, f64>, runs: &[Run]| {
            runs.iter().map(|run| rest(run) + share(shares, run)).sum::<f64>() / runs.len() as f64
        };
        for _ in 0..ROUNDS {
            let mut sums: BTreeMap<Tile, (f64, usize)> = BTreeMap::new();
            for runs in &table.0 {
                let unit = unit(&shares, runs);
                for run in runs {
                    let (sum, count) = sums.entry(run.tile).or_default();
                    *sum += unit - rest(run);
                    *count += 1;
                }
            }
            shares = sums.into_iter().map(|(tile, (sum, n))| (tile, sum / n as f64)).collect();
        }
        let errors = table.0.iter().flat_map(|runs| {
            let unit = unit(&shares, runs);
            let error = |run: &Run| (rest(run) + share(&shares, run) - unit).powi(2);
            runs.iter().map(error).collect::<Vec<_>>()
        });
        let residual = errors.sum();
        let lists = self.lists.iter().map(|list| {
            let measured = || list.iter().filter(|(tile, _)| shares.contains_key(tile));
            let most = measured().map(|(_, share)| *share).fold(0.0, f64::max);
            let fitted = measured().map(|(tile, _)| shares[tile]).fold(f64::NEG_INFINITY, f64::max);
            let of = |&(tile, share): &(Tile, f64)| match shares.get(&tile) {
                Some(own) => (tile, most * (own - fitted).exp()),
                None => (tile, share),
            };
            list.iter().map(of).collect()
        });
        (Constants { busy, lists: lists.collect() }, residual)
    }
}

/// Elements that keep as much of a device busy as a kernel does.
fn area(run: &Run, busy: usize) -> f64 {
    run.workgroups.max(busy as f64) * run.elements as f64
}

/// The constants as they are, and those that a table speaks for.
pub struct Comparison<'a> {
    pub now: &'a Constants,
    pub fitted: &'a Constants,
    pub table: &'a Table,
}

impl fmt::Display for Comparison<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Comparison { now, fitted, table } = *self;
        writeln!(f, "{:<14}{:>6}{:>8}{:>7}", "tile", "now", "fitted", "steps")?;
        for (tile, share) in now.lists.iter().flatten() {
            let [rows, columns, terms] = tile;
            let name = match terms {
                0 => format!("{rows}x{columns} patch"),
                _ => format!("{rows}x{columns}x{terms}"),
            };
            let own = fitted.share(*tile);
            let own = own.unwrap_or(*share);
            writeln!(f, "{name:<14}{share:>6.2}{own:>8.2}{:>7}", table.count(*tile))?;
        }
        writeln!(f, "{:<14}{:>6}{:>8}", "BUSY", now.busy, fitted.busy)?;
        let [(before, worst_before), (after, worst)] = [now, fitted].map(|c| c.regrets(table));
        write!(
            f,
            "of {} steps, what is chosen takes {before:.3} times as long as the fastest, at worst {worst_before:.2}; \
             with the fitted constants {after:.3}, at worst {worst:.2}",
            table.0.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
const TILES: [Tile; 3] = [
    Tile { rows: 128, columns: 64, terms: 8, fragment: 2, share: 0.85 },
    Tile { rows: 64, columns: 64, terms: 16, fragment: 1, share: 0.78 },
    Tile { rows: 32, columns: 32, terms: 16, fragment: 0, share: 0.66 },
];
const PATCHES: [Patch; 1] = [
    Patch { rows: 64, columns: 256, share: 0.97 },
];
const WEIGHT_PATCHES: [Patch; 1] = [
    Patch { rows: 64, columns: 8, share: 0.88 },
];
const SLICED: [Tile; 2] = [
    Tile { rows: 32, columns: 32, terms: 32, fragment: 3, share: 0.64 },
    Tile { rows: 16, columns: 32, terms: 32, fragment: 3, share: 0.50 },
];
/// Workgroups.
pub(super) const BUSY: usize = 200;
";

    /// A sweep of a device with these constants.
    fn swept(constants: &Constants) -> String {
        let mut rows = String::new();
        for (index, elements) in
            [1 << 14, 1 << 18, 3 << 18, 1 << 20, 1 << 24].into_iter().enumerate()
        {
            let list = &constants.lists[usize::from(index == 0)];
            for &(tile @ [rows_of, columns, terms], _) in list {
                // A weight's patch has as many columns for each input as the window has taps.
                let (columns_of, extents) = match (terms, columns) {
                    (0, 8) => (
                        9 * columns,
                        format!("w BM {rows_of} CHANNELS 8 WINDOW_ROWS 3 WINDOW_COLUMNS 3"),
                    ),
                    (0, _) => (
                        columns,
                        format!("direct BM {rows_of} TILE_ROWS 8 TILE_COLUMNS {}", columns / 8),
                    ),
                    _ => (columns, format!("matmul BM {rows_of} BN {columns} BK {terms} PANEL 1")),
                };
                let workgroups = (elements / (rows_of * columns_of)) as f64;
                let run = Run { tile, elements: rows_of * columns_of, workgroups, seconds: 0.0 };
                let median = constants.time(&run) * 1e-9 * (index + 1) as f64;
                rows += &format!(
                    "{{\"problem\":\"matmul {index}\",\"step\":\"matmul\",\"median\":{median:e},\
                     \"workgroups\":{workgroups},\"shader\":\"{extents}\"}}\n"
                );
            }
        }
        rows + "{\"problem\":\"matmul 9\",\"step\":\"matmul\",\"median\":null,\"workgroups\":9,\
                \"shader\":\"matmul BM 64 BN 64 BK 16\"}\n\
                {\"problem\":\"softmax\",\"step\":\"softmax\",\"median\":1.0,\"workgroups\":9,\
                \"shader\":\"softmax WG_SIZE 256\"}\n"
    }

    #[test]
    fn constants_of_a_device_are_found() -> Result<(), Failure> {
        let now = Constants::parse(SOURCE)?;
        let device = Constants {
            busy: 64,
            lists: vec![
                vec![
                    ([128, 64, 8], 0.60),
                    ([64, 64, 16], 0.85),
                    ([32, 32, 16], 0.40),
                    ([64, 256, 0], 0.97),
                    ([64, 8, 0], 0.70),
                ],
                vec![([32, 32, 32], 0.64), ([16, 32, 32], 0.32)],
            ],
        };
        let table = Table::parse(&swept(&device))?;
        let fitted = now.fitted(&table);
        assert_eq!(fitted.busy, device.busy);
        for ((tile, found), (same, share)) in
            fitted.lists.iter().flatten().zip(device.lists.iter().flatten())
        {
            assert_eq!(tile, same);
            assert!((found - share).abs() < 1e-6, "{tile:?}: {found}, not {share}");
        }
        assert!(now.regrets(&table).0 > 1.05);
        assert!(fitted.regrets(&table).1 < 1.0 + 1e-9);
        Ok(())
    }

    #[test]
    fn only_constants_are_written() -> Result<(), Failure> {
        let now = Constants::parse(SOURCE)?;
        assert_eq!(now.written_into(SOURCE), SOURCE);
        let mut other = now.clone();
        other.busy = 64;
        other.lists[1][0].1 = 0.123;
        let expected = SOURCE.replace("0.64", "0.12").replace("= 200", "= 64");
        assert_eq!(other.written_into(SOURCE), expected);
        Ok(())
    }

    #[test]
    fn constants_of_the_project_are_read() -> Result<(), Failure> {
        let source = include_str!("../../../src/ops/tiles.rs");
        let constants = Constants::parse(source)?;
        assert_eq!(constants.lists.iter().map(Vec::len).collect::<Vec<_>>(), [12, 2]);
        assert_eq!(constants.written_into(source), source);
        Ok(())
    }

    #[test]
    fn a_table_without_tiles_is_refused() {
        for text in ["", "{\"problem\":\"sum\",\"median\":1.0,\"workgroups\":1,\"shader\":\"sum\"}"]
        {
            assert!(Table::parse(text).is_err(), "{text}");
        }
        let error = Table::parse("matmul").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("line 1 is no row of a sweep"), "{error}");
    }
}
