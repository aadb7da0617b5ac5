//! Gather and scatter-add of table rows by index: an embedding and its derivative.

use crate::{
    bench::{
        check::Sum,
        workload::{Workload, at, words},
    },
    dtype::DType,
    ops::contract::Domain,
};

/// Number of rows in the table, their length, and the number of indices.
const WHOLE: [usize; 3] = [50_000, 256, 16_384];
const SMALL: [usize; 3] = [1_000, 64, 512];

pub(super) fn workloads() -> Vec<Workload> {
    let [gather, scatter] = ["gather_rows", "scatter_add_rows"].map(str::to_owned);
    vec![
        self::gather(gather.clone(), WHOLE).smaller(self::gather(gather + "_small", SMALL)),
        self::scatter(scatter.clone(), WHOLE).smaller(self::scatter(scatter + "_small", SMALL)),
    ]
}

fn text([rows, columns, count]: [usize; 3]) -> String {
    format!("{count} of {rows}x{columns}")
}

fn gather(name: String, extents: [usize; 3]) -> Workload {
    let [rows, columns, count] = extents;
    Workload::new(
        "selection",
        name,
        text(extents),
        |x| vec![x[0].index_select(x[1], 0)],
        move |x| {
            Box::new(move |_, c| {
                Sum::exact(at(&x[0], x[1].words()[c[0]] as usize * columns + c[1]))
            })
        },
    )
    .floats(&[rows, columns])
    .operand(&[count], DType::U32, Domain::Below(rows as u32))
    .cost(0.0, words(2 * count * columns + count))
}

fn scatter(name: String, extents: [usize; 3]) -> Workload {
    let [rows, columns, count] = extents;
    Workload::new(
        "selection",
        name,
        text(extents),
        move |x| vec![x[0].scatter_add(x[1], 0, rows)],
        move |x| {
            Box::new(move |_, c| {
                let chosen = x[1].words().iter().enumerate();
                let chosen = chosen.filter(|&(_, &index)| index as usize == c[0]);
                Sum::of(chosen.map(|(k, _)| at(&x[0], k * columns + c[1])))
            })
        },
    )
    .floats(&[count, columns])
    .operand(&[count], DType::U32, Domain::Below(rows as u32))
    .cost((count * columns) as f64, words(count * columns + count + rows * columns))
}
