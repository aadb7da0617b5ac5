//! The rows as CSV.

use std::io::{self, Write};
use wgrad::bench::Row;

pub fn header(out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "device,op,family,shape,dtype,outcome,median_ms,min_ms,q1_ms,q3_ms,wall_ms,cold_ms,runs,tops,gbps,\
         ceiling,percent_of_ceiling,speedup,checked,max_error,note,busy"
    )
}

pub fn row(out: &mut dyn Write, row: &Row) -> io::Result<()> {
    let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    let fields = [
        quoted(&row.device),
        quoted(&row.op),
        quoted(&row.family),
        quoted(&row.shape),
        quoted(&row.dtype),
        format!("{:?}", row.outcome).to_lowercase(),
        number(row.median_ms),
        number(row.min_ms),
        number(row.q1_ms),
        number(row.q3_ms),
        number(row.wall_ms),
        number(row.cold_ms),
        row.runs.to_string(),
        number(row.tops),
        number(row.gbps),
        row.ceiling.clone().unwrap_or_default(),
        number(row.percent_of_ceiling),
        number(row.speedup),
        row.checked.to_string(),
        number(row.max_error),
        quoted(&row.note),
        number(row.busy),
    ];
    writeln!(out, "{}", fields.join(","))
}

/// Quotes a field as in RFC 4180.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
