//! The subject as a program of its own, which can be built in other ways than its test.

#[path = "../../subject.rs"]
mod subject;

fn main() {
    subject::main();
}
