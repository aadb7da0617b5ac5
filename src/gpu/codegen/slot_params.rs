//! The uniform scalars of a slot: shape values, with readable names.

/// The fields of `struct SlotParams`, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotParams {
    fields: Vec<(String, &'static str, u32)>,
}

impl SlotParams {
    /// Adds an unsigned field; returns the expression that reads it.
    pub fn u32(&mut self, name: String, value: u32) -> String {
        let expression = format!("slot.{name}");
        self.fields.push((name, "u32", value));
        expression
    }

    /// Adds a signed field; returns the expression that reads it.
    ///
    /// Values beyond 32 bits wrap, and so does the arithmetic of the shader: an index that is read
    /// comes out correct even if its terms overflowed.
    pub fn i32(&mut self, name: String, value: i64) -> String {
        let expression = format!("slot.{name}");
        self.fields.push((name, "i32", value as u32));
        expression
    }

    /// Whether there is nothing to bind.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The declaration of the structure and its variable.
    pub fn declaration(&self) -> String {
        let mut text = String::from("struct SlotParams {\n");
        for (name, dtype, _) in &self.fields {
            text += &format!("    {name}: {dtype},\n");
        }
        text + "}\n@group(1) @binding(0) var<uniform> slot: SlotParams;\n"
    }

    /// The content of the variable.
    pub fn bytes(&self) -> Vec<u8> {
        self.fields.iter().flat_map(|(_, _, value)| value.to_le_bytes()).collect()
    }
}
