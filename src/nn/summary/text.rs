//! The summary as text: a table of the layers, then what it takes in all.

use super::{LayerSummary, Summary};
use crate::{
    brief::{bytes, scaled},
    nn::Mode,
};
use std::fmt;

const HEAD: [&str; 5] = ["layer", "output", "parameters", "operations", "activations"];

impl fmt::Display for Summary {
    /// One line per layer, those within another one indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.total.kind.as_deref().unwrap_or("a graph");
        let inputs: Vec<String> =
            self.inputs.iter().map(|(name, meta)| format!("{name}: {meta}")).collect();
        let purpose = match self.mode {
            Mode::Train => "for training",
            Mode::Eval => "for evaluation",
        };
        writeln!(f, "{kind} on {}, {purpose}\n", inputs.join(", "))?;
        self.table(f)?;
        let LayerSummary { params, trainable, variables, .. } = self.total;
        let trained = if trainable == params { "all" } else { &grouped(trainable) };
        let (count, size) = (grouped(params), bytes(4 * params));
        writeln!(f, "\nparameters   {count} ({size}), {trained} trainable")?;
        if variables > 0 {
            writeln!(f, "variables    {} ({})", grouped(variables), bytes(4 * variables))?;
        }
        write!(f, "peak memory  {} forward", bytes(self.forward_bytes))?;
        match self.training_bytes {
            None => writeln!(f),
            Some(step) => {
                let without = if self.has_optimizer { "" } else { " without its optimizer" };
                writeln!(f, ", {} in a training step{without}", bytes(step))
            }
        }
    }
}

impl Summary {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.layers.iter().filter(|layer| layer.depth() < self.depth);
        let rows = shown.map(|layer| row(label(layer), layer));
        let total = row("total".to_owned(), &self.total);
        let rows: Vec<[String; 5]> =
            [HEAD.map(str::to_owned)].into_iter().chain(rows).chain([total]).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths = [0, 1, 2, 3, 4].map(|column| width(column).unwrap_or(0));
        for [layer, output, numbers @ ..] in &rows {
            write!(f, "{layer:<0$}  {output:<1$}", widths[0], widths[1])?;
            for (number, width) in numbers.iter().zip(&widths[2..]) {
                write!(f, "  {number:>width$}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn row(label: String, layer: &LayerSummary) -> [String; 5] {
    let output = layer.output.as_ref().map_or("-".to_owned(), |output| output.to_string());
    let operations = scaled(layer.flops, 1000.0, &["", " k", " M", " G", " T", " P"]);
    [label, output, grouped(layer.params), operations, bytes(layer.activation_bytes)]
}

/// The name of a layer below those of the layers around it, its kind unless the name has it, and
/// how often it is applied.
fn label(layer: &LayerSummary) -> String {
    let mut label = "  ".repeat(layer.depth()) + layer.name();
    if let Some(kind) = layer.kind.as_ref().filter(|kind| !layer.name().contains(&***kind)) {
        label += &format!(" ({kind})");
    }
    if layer.calls > 1 {
        label += &format!(" ×{}", layer.calls);
    }
    label
}

/// `11,173,962`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        let texts = [0, 12, 999, 1000, 11_173_962, 100_000].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "11,173,962", "100,000"]);
    }

    #[test]
    fn units_are_as_large_as_the_number() {
        let sizes = [0, 1023, 1024, 1536, (1 << 20) - 1, 1 << 30];
        assert_eq!(sizes.map(bytes), ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 GiB"]);
        assert_eq!(scaled(5e9, 1000.0, &["", " k"]), "5000000.0 k");
    }
}
