//! Steps extracted from their programs, to be run on operands of their own.

use super::Case;
use crate::{
    array::Array,
    backend::Executable,
    error::Error,
    graph::Declaration,
    init::Init,
    schedule::plan::{Plan, Region, Step, Storage},
    shape::Meta,
    value::Fed,
    variables::Variables,
};

/// Steps that share no memory: each has separate operands and results.
#[derive(Default)]
pub(crate) struct Isolated {
    steps: Vec<Step>,
    inputs: Vec<(String, Array)>,
    /// With whether a step updates them.
    variables: Vec<(String, Array, bool)>,
    outputs: Vec<Meta>,
    /// Storage of each step's regions.
    places: Vec<Vec<Storage>>,
    /// Whether all operands are variables, which stay on a device between runs.
    is_resident: bool,
}

impl Isolated {
    /// Steps whose operands stay on the device, for those who run them many times.
    #[cfg(feature = "bench")]
    pub fn resident() -> Self {
        Isolated { is_resident: true, ..Isolated::default() }
    }

    /// Adds a step, and the words of its case. Regions it only reads become inputs, regions it only
    /// writes outputs, and regions it updates in place variables.
    pub fn add(
        &mut self,
        number: usize,
        mut step: Step,
        case: &Case,
        words: Vec<Vec<u32>>,
    ) -> Result<(), Error> {
        let mut places = Vec::new();
        for ((k, region), words) in case.regions.iter().enumerate().zip(words) {
            let is_it = |other: &Region| case.position(*other) == Some(k);
            let (is_read, is_written) =
                (step.reads.iter().any(is_it), step.writes.iter().any(is_it));
            let meta = Meta::new([region.len], region.dtype);
            // Programs order their inputs and variables by name.
            let name = format!("{number:06}.{k:02}");
            places.push(match (is_read, is_written) {
                (false, _) => {
                    self.outputs.push(meta);
                    Storage::Output(self.outputs.len() - 1)
                }
                (true, false) if !self.is_resident => {
                    self.inputs.push((name, Array::from_words(meta, words)?));
                    Storage::Input(self.inputs.len() - 1)
                }
                (true, is_updated) => {
                    self.variables.push((name, Array::from_words(meta, words)?, is_updated));
                    Storage::Variable(self.variables.len() - 1)
                }
            });
        }
        for region in step.reads.iter_mut().chain(&mut step.writes) {
            if let Some(position) = case.position(*region) {
                (region.storage, region.offset) = (places[position], 0);
            }
        }
        self.places.push(places);
        self.steps.push(step);
        Ok(())
    }

    /// Builds the program of all steps.
    pub fn plan(&self) -> Plan {
        let declared = |(path, array, _): &(String, Array, bool)| {
            (path.clone(), Declaration::new(array.meta().clone(), Init::Zeros))
        };
        Plan {
            steps: self.steps.clone(),
            slots: vec![],
            inputs: self.inputs.iter().map(|(name, a)| (name.clone(), a.meta().clone())).collect(),
            variables: self.variables.iter().map(declared).collect(),
            constants: vec![],
            assigned: self.variables.iter().map(|(.., is_updated)| *is_updated).collect(),
            arenas: vec![],
            outputs: self.outputs.clone(),
            checks_finite: false,
            half_bytes: 2,
        }
    }

    /// A store with the operands that are variables.
    pub fn variables(&self) -> Result<Variables, Error> {
        let variables = Variables::new(0);
        let values = self.variables.iter().map(|(path, array, _)| (path.clone(), array.clone()));
        variables.insert_all(values)?;
        Ok(variables)
    }

    /// Runs it as a program of a device. Returns the final content of each step's regions; empty
    /// for those it only reads.
    pub fn run(&self, program: &dyn Executable) -> Result<Vec<Vec<Vec<u32>>>, Error> {
        let variables = self.variables()?;
        let inputs: Vec<Fed<'_>> = self.inputs.iter().map(|(_, a)| Fed::Host(a)).collect();
        let outputs = program.run(&mut variables.lock(), &inputs)?;
        let words = |place: &Storage| match *place {
            Storage::Output(k) => Ok(outputs[k].read_blocking(&self.outputs[k])?.into_words()),
            Storage::Variable(k) => Ok(variables.get(&self.variables[k].0)?.into_words()),
            _ => Ok(vec![]),
        };
        self.places.iter().map(|places| places.iter().map(words).collect()).collect()
    }
}
