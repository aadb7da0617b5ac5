//! Texts of a column, each distinct one kept once.

use super::column::{Cells, MISSING};
use std::collections::HashMap;

/// Texts as they are read.
#[derive(Default)]
pub(super) struct Categories {
    codes: Vec<u32>,
    known: HashMap<Box<str>, u32>,
}

impl Categories {
    /// Adds a cell; `None` if memory is refused.
    pub fn push(&mut self, text: Option<&str>) -> Option<()> {
        let code = match text {
            None => MISSING,
            Some(text) => match self.known.get(text) {
                Some(&code) => code,
                None => {
                    let code = u32::try_from(self.known.len()).ok().filter(|&c| c != MISSING)?;
                    self.known.try_reserve(1).ok()?;
                    self.known.insert(text.into(), code);
                    code
                }
            },
        };
        self.codes.try_reserve(1).ok()?;
        self.codes.push(code);
        Some(())
    }

    /// The cells, with categories numbered in order of name.
    pub fn finish(mut self) -> Cells {
        let mut known: Vec<(Box<str>, u32)> = self.known.into_iter().collect();
        known.sort_unstable();
        let mut sorted = vec![MISSING; known.len()];
        for (rank, (_, code)) in (0u32..).zip(&known) {
            if let Some(sorted) = sorted.get_mut(*code as usize) {
                *sorted = rank;
            }
        }
        for code in &mut self.codes {
            *code = sorted.get(*code as usize).copied().unwrap_or(MISSING);
        }
        let names = known.into_iter().map(|(name, _)| name).collect();
        Cells::Categories { codes: self.codes, names }
    }
}
