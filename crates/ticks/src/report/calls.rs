//! The calls and the stacks of all processes, each told once.

use std::collections::HashMap;

use serde_json::{json, Value as Json};

use crate::symbols::Call;

/// What is shown of a call: its function, its line, whether it only passes polls on.
type Shown = (String, String, bool);

/// Calls and stacks by number.
#[derive(Default)]
pub struct Calls {
    calls: Vec<Json>,
    numbers: HashMap<Shown, usize>,
    stacks: Vec<Vec<usize>>,
    stack_numbers: HashMap<Vec<usize>, usize>,
}

impl Calls {
    /// The number of a stack, the innermost call first.
    pub fn stack(&mut self, calls: &[Call]) -> usize {
        let stack: Vec<usize> = calls.iter().map(|call| self.call(call)).collect();
        if let Some(number) = self.stack_numbers.get(&stack) {
            return *number;
        }
        self.stacks.push(stack.clone());
        self.stack_numbers.insert(stack, self.stacks.len() - 1);
        self.stacks.len() - 1
    }

    fn call(&mut self, call: &Call) -> usize {
        let shown = (call.name(), call.line_text(), call.is_folded);
        if let Some(number) = self.numbers.get(&shown) {
            return *number;
        }
        self.calls.push(json!([shown.0, shown.1, u8::from(shown.2)]));
        self.numbers.insert(shown, self.calls.len() - 1);
        self.calls.len() - 1
    }

    /// All of them.
    pub fn into_json(self) -> Json {
        json!({ "calls": self.calls, "stacks": self.stacks })
    }
}
