use super::*;
use crate::bench::check::Sum;

fn options() -> Options {
    Options { seconds: 0.001, ceilings: 0.06, ..Options::thorough() }
}

fn doubled(name: &str, factor: f64) -> Workload {
    let formula = move |x: &f64| Sum::exact(factor * x);
    Workload::new(
        "doubling",
        name,
        "1000",
        |x| vec![x[0] * 2.0],
        move |x| Box::new(move |_, c| formula(&f64::from(f32::from_bits(x[0].words()[c[0]])))),
    )
    .floats(&[1000])
    .cost(1000.0, 8000.0)
}

fn rows_of(workloads: &[Workload], options: &Options) -> Result<Vec<Row>, Error> {
    let devices = [("cpu".to_owned(), Device::cpu())];
    Ok(run_all(&devices, options, workloads, &mut |_| ControlFlow::Continue(()))?.rows)
}

#[test]
fn a_wrong_result_is_said_to_be_wrong() -> Result<(), Error> {
    let rows = rows_of(&[doubled("right", 2.0), doubled("wrong", 2.001)], &options())?;
    let outcomes: Vec<_> = rows.iter().map(|row| (row.outcome, row.ok)).collect();
    assert_eq!(outcomes, [(Outcome::Measured, Some(true)), (Outcome::Wrong, Some(false))]);
    assert!(rows[1].note.starts_with("wrong: off by"), "{}", rows[1].note);
    assert!(rows[0].median_ms > Some(0.0) && rows[0].speedup == Some(1.0));
    Ok(())
}

/// Rows are told as they come, and whoever is told may stop the run.
#[test]
fn a_run_that_is_stopped_measures_no_more() -> Result<(), Error> {
    let devices = [("cpu".to_owned(), Device::cpu())];
    let workloads = [doubled("first", 2.0), doubled("second", 2.0)];
    let mut told = Vec::new();
    let report = run_all(&devices, &options(), &workloads, &mut |event| match event {
        Event::Machine(_) => {
            told.push("machine".to_owned());
            ControlFlow::Continue(())
        }
        Event::Row(row) => {
            told.push(row.op.clone());
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })?;
    assert_eq!(told, ["machine", "first"]);
    assert_eq!(report.rows.len(), 1);
    Ok(())
}

/// Past the deadline nothing starts, not even the first row of a family.
#[test]
fn no_row_starts_after_the_deadline() -> Result<(), Error> {
    let late = Options { deadline: 0.0, ..options() };
    let rows = rows_of(&[doubled("right", 2.0), doubled("again", 2.0)], &late)?;
    let said: Vec<_> = rows.iter().map(|row| (row.outcome, row.note.as_str())).collect();
    assert_eq!(said, [(Outcome::Skipped, OUT_OF_TIME); 2]);
    Ok(())
}

#[test]
fn what_takes_too_long_is_done_on_less() -> Result<(), Error> {
    let long = doubled("long", 2.0).cost(1e15, 8000.0).smaller(doubled("short", 2.0));
    let rows = rows_of(&[long], &options())?;
    let said: Vec<_> = rows.iter().map(|row| (row.op.as_str(), row.outcome)).collect();
    assert_eq!(said, [("long", Outcome::Skipped), ("short", Outcome::Measured)]);
    assert!(rows[0].note.starts_with("skipped (predicted "), "{}", rows[0].note);
    Ok(())
}

#[test]
fn what_a_device_cannot_do_is_a_row_too() -> Result<(), Error> {
    let failing = Workload::new(
        "failing",
        "shapes",
        "[2] and [3]",
        |x| vec![x[0] + x[1]],
        |_| Box::new(|_, _| Sum::exact(0.0)),
    );
    let failing = failing.floats(&[2]).floats(&[3]).cost(1.0, 1.0);
    let rows = rows_of(&[failing, doubled("right", 2.0)], &options())?;
    assert_eq!((rows[0].outcome, rows[0].ok), (Outcome::Failed, Some(false)));
    assert!(rows[0].note.starts_with("add: [2] f32 x [3] f32"), "{}", rows[0].note);
    assert_eq!(rows[1].outcome, Outcome::Measured);
    Ok(())
}
