//! Comparison of two reports: which rows became significantly faster or slower.

use super::{
    ceilings,
    report::{Outcome, Report, Row},
};

/// Change of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Within the noise of both reports.
    Same,
    /// Less time.
    Faster,
    /// More time.
    Slower,
    /// Correct before, but no longer.
    Broken,
    /// Incorrect before, correct now.
    Mended,
    /// Measured before, but not again: nothing can be said about it.
    Gone,
    /// Not measured before.
    New,
}

/// A row, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The device.
    pub device: String,
    /// Name of the workload.
    pub op: String,
    /// Median time before, in milliseconds.
    pub before: Option<f64>,
    /// Median time after, in milliseconds.
    pub after: Option<f64>,
    /// Ratio of the time after to the time before.
    pub ratio: Option<f64>,
    /// The ratio expected from a change of the machine alone: the ratio of the ceilings.
    pub machine: f64,
    /// The verdict.
    pub change: Change,
}

impl Comparison {
    /// Whether the change is for the worse.
    pub fn is_regression(&self) -> bool {
        matches!(self.change, Change::Slower | Change::Broken)
    }
}

/// Minimum relative difference, regardless of noise.
const MIN_CHANGE: f64 = 0.05;

/// Compares every row of either report.
///
/// A row is slower if its median grew by more than 5% and by more than the relative interquartile
/// range of either report, if its lower quartile is above the previous upper quartile, and if the
/// growth remains significant after dividing out the change of the machine's own ceiling. Faster is
/// the reverse.
pub fn compare(before: &Report, after: &Report) -> Vec<Comparison> {
    let find = |report: &'_ Report, row: &Row| {
        let same = |other: &&Row| (&other.device, &other.op) == (&row.device, &row.op);
        report.rows.iter().find(same).cloned()
    };
    let old = before.rows.iter().filter_map(|row| {
        let now = find(after, row);
        of(before, after, Some(row), now.as_ref())
    });
    let new = after.rows.iter().filter(|row| find(before, row).is_none());
    old.chain(new.filter_map(|row| of(before, after, None, Some(row)))).collect()
}

fn of(before: &Report, after: &Report, old: Option<&Row>, new: Option<&Row>) -> Option<Comparison> {
    let either = new.or(old)?;
    let is_measured = |row: &&Row| row.outcome == Outcome::Measured;
    let is_wrong = |row: Option<&Row>| {
        row.is_some_and(|row| matches!(row.outcome, Outcome::Wrong | Outcome::Failed))
    };
    let (was, is) = (old.filter(is_measured), new.filter(is_measured));
    let machine = machine(before, after, either).unwrap_or(1.0);
    let change = match (was, is) {
        (Some(was), Some(is)) => judge(was, is, machine),
        (Some(_), None) if is_wrong(new) => Change::Broken,
        (Some(_), None) => Change::Gone,
        (None, Some(_)) if is_wrong(old) => Change::Mended,
        (None, Some(_)) => Change::New,
        (None, None) => return None,
    };
    let median = |row: Option<&Row>| row.and_then(|row| row.median_ms);
    let (before, after) = (median(was), median(is));
    let ratio = before.zip(after).map(|(before, after)| after / before);
    let (device, op) = (either.device.clone(), either.op.clone());
    Some(Comparison { device, op, before, after, ratio, machine, change })
}

/// The slowdown of the ceiling that binds this row.
fn machine(before: &Report, after: &Report, row: &Row) -> Option<f64> {
    let named = |report: &Report| {
        let of_it = |ceiling: &&ceilings::Ceiling| {
            ceiling.device == row.device && Some(ceiling.limit.name()) == row.ceiling.as_deref()
        };
        report.ceilings.iter().find(of_it)?.value
    };
    Some(named(before)? / named(after)?)
}

fn judge(was: &Row, is: &Row, machine: f64) -> Change {
    let quartiles = |row: &Row| {
        let median = row.median_ms?;
        Some((row.q1_ms.unwrap_or(median), median, row.q3_ms.unwrap_or(median)))
    };
    let (Some(was), Some(is)) = (quartiles(was), quartiles(is)) else { return Change::Same };
    let spread = |(q1, median, q3): (f64, f64, f64)| (q3 - q1) / median;
    let least = 1.0 + MIN_CHANGE.max(spread(was)).max(spread(is));
    let slower = |a: (f64, f64, f64), b: (f64, f64, f64), machine: f64| {
        let ratio = b.1 / a.1;
        ratio > least && b.0 > a.2 && ratio / machine > least
    };
    match () {
        () if slower(was, is, machine) => Change::Slower,
        () if slower(is, was, 1.0 / machine) => Change::Faster,
        () => Change::Same,
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Change::Same => "same",
            Change::Faster => "faster",
            Change::Slower => "SLOWER",
            Change::Broken => "WRONG",
            Change::Mended => "right again",
            Change::Gone => "not measured again",
            Change::New => "new",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bench::{Options, run},
        device::Device,
        error::Error,
    };

    /// A report with one real row.
    fn report() -> Result<Report, Error> {
        let (filter, sizes) = (vec!["matmul_32".to_owned()], vec![32]);
        let devices = [("cpu".to_owned(), Device::cpu())];
        let (seconds, ceilings) = (0.01, 0.06);
        let options = Options { filter, sizes, seconds, ceilings, ..Options::thorough() };
        run(&devices, &options, &mut |_| std::ops::ControlFlow::Continue(()))
    }

    /// The same report with all times multiplied by `factor`.
    fn stretched(report: &Report, factor: f64) -> Report {
        let mut report = report.clone();
        for row in &mut report.rows {
            for time in [&mut row.median_ms, &mut row.q1_ms, &mut row.q3_ms] {
                *time = time.map(|time| factor * time);
            }
        }
        report
    }

    /// The same report with quartiles at this fraction of the median from it.
    fn with_spread(mut report: Report, spread: f64) -> Report {
        for row in &mut report.rows {
            row.q1_ms = row.median_ms.map(|median| median * (1.0 - spread));
            row.q3_ms = row.median_ms.map(|median| median * (1.0 + spread));
        }
        report
    }

    fn verdicts(before: &Report, after: &Report) -> Vec<Change> {
        compare(before, after).iter().map(|row| row.change).collect()
    }

    #[test]
    fn changes_beyond_the_noise_are_seen() -> Result<(), Error> {
        let quiet = with_spread(report()?, 0.02);
        let (same, slow) = (stretched(&quiet, 1.04), stretched(&quiet, 1.3));
        assert_eq!(verdicts(&quiet, &quiet), [Change::Same]);
        assert_eq!(verdicts(&quiet, &same), [Change::Same]);
        assert_eq!(verdicts(&quiet, &slow), [Change::Slower]);
        assert_eq!(verdicts(&slow, &quiet), [Change::Faster]);
        assert!(compare(&quiet, &slow)[0].is_regression());
        // With this much noise, 30% more may be chance.
        let noisy = with_spread(quiet, 0.2);
        assert_eq!(verdicts(&noisy, &stretched(&noisy, 1.3)), [Change::Same]);
        Ok(())
    }

    #[test]
    fn a_slower_machine_is_no_slower_program() -> Result<(), Error> {
        let before = with_spread(report()?, 0.02);
        let mut after = stretched(&before, 1.3);
        for ceiling in &mut after.ceilings {
            ceiling.value = ceiling.value.map(|rate| rate / 1.3);
        }
        assert_eq!(verdicts(&before, &after), [Change::Same]);
        Ok(())
    }

    #[test]
    fn what_broke_is_worse_and_what_is_gone_is_not() -> Result<(), Error> {
        let before = report()?;
        let mut wrong = before.clone();
        wrong.rows[0].outcome = Outcome::Wrong;
        let none = Report { rows: Vec::new(), ..before.clone() };
        assert_eq!(verdicts(&before, &wrong), [Change::Broken]);
        assert_eq!(verdicts(&wrong, &before), [Change::Mended]);
        assert_eq!(verdicts(&before, &none), [Change::Gone]);
        assert!(compare(&before, &wrong)[0].is_regression());
        assert!(!compare(&before, &none)[0].is_regression());
        assert_eq!(verdicts(&none, &before), [Change::New]);
        Ok(())
    }
}
