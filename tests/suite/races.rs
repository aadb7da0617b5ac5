//! Races in shaders, found without an adapter.

use crate::model;
use wgrad::{
    DType, Device, Error, Graph, RunError, data::digits, optim::Adam, testing::races,
    train::Trainer,
};

#[test]
fn a_training_step_has_no_hazard() -> Result<(), Error> {
    let (device, data, network) = (Device::cpu(), digits::load()?, model::network());
    let optimizer = Adam::new(2e-3);
    let program = Trainer::classifier(&network, &optimizer).step(&device, &data, model::BATCH)?;
    let dispatches = races(&program)?;
    assert!(dispatches.len() >= program.shaders().len());
    for dispatch in dispatches {
        assert_eq!(dispatch.report.hazards, [], "{dispatch}");
        assert!(dispatch.report.workgroups > 0, "{dispatch}");
    }
    Ok(())
}

#[test]
fn the_reference_has_no_shaders() -> Result<(), Error> {
    let graph = Graph::new();
    let x = graph.input("x", [4], DType::F32);
    let program = graph.compile(&Device::Reference, &[x.sum(0)])?;
    assert!(matches!(races(&program), Err(Error::Run(RunError::NotPlanned))));
    Ok(())
}
