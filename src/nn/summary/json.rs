//! The summary as JSON.

use super::{LayerSummary, Summary};
use crate::{nn::Mode, shape::Meta};
use serde_json::{Map, Value, json};

impl Summary {
    /// All numbers as an object of JSON, whatever the [depth](Self::depth) is that is printed.
    ///
    /// ```
    /// use wgrad::prelude::*;
    ///
    /// let summary = Dense::new(10).summary(Mode::Eval, Meta::new([1, 64], DType::F32))?;
    /// let json: serde_json::Value = serde_json::from_str(&summary.to_json()).expect("it is JSON");
    /// assert_eq!(json["total"]["params"], 650);
    /// assert_eq!(json["total"]["output"]["shape"], serde_json::json!([1, 10]));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        let mode = match self.mode {
            Mode::Train => "train",
            Mode::Eval => "eval",
        };
        let inputs: Map<String, Value> =
            self.inputs.iter().map(|(name, meta)| (name.clone(), tensor(meta))).collect();
        let object = json!({
            "mode": mode,
            "inputs": inputs,
            "layers": self.layers.iter().map(object).collect::<Vec<_>>(),
            "total": object(&self.total),
            "forward_bytes": self.forward_bytes,
            "training_bytes": self.training_bytes,
            "has_optimizer": self.has_optimizer,
        });
        object.to_string()
    }
}

fn object(layer: &LayerSummary) -> Value {
    json!({
        "path": layer.path,
        "kind": layer.kind,
        "output": layer.output.as_ref().map(tensor),
        "calls": layer.calls,
        "params": layer.params,
        "trainable": layer.trainable,
        "variables": layer.variables,
        "flops": layer.flops,
        "activation_bytes": layer.activation_bytes,
    })
}

fn tensor(meta: &Meta) -> Value {
    json!({ "shape": meta.shape.dims(), "dtype": meta.dtype.to_string() })
}
