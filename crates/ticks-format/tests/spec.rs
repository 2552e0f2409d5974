//! SPEC.md holds the table of the records. `UPDATE_SPEC=1 cargo test --test spec` writes it anew.

use std::{env, fs, path::Path};

use ticks_format::layout::{
    Layout, SectionKind, FILE_BYTES_DEFAULT, FILE_BYTES_MIN, HEADER_WORDS, MAGIC,
};
use ticks_format::spec_table;
use ticks_format::stacks::FRAMES_MAX;

const BEGIN: &str = "<!-- table:begin -->\n";
const END: &str = "<!-- table:end -->";

#[test]
fn the_table_is_that_of_the_declarations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SPEC.md");
    let spec = fs::read_to_string(&path).expect("SPEC.md");
    let (before, rest) = spec.split_once(BEGIN).expect("the table's begin");
    let (table, after) = rest.split_once(END).expect("the table's end");
    if env::var_os("UPDATE_SPEC").is_some() {
        let spec = format!("{before}{BEGIN}{}{END}{after}", spec_table());
        fs::write(&path, spec).expect("SPEC.md can be written");
        return;
    }
    assert_eq!(
        table,
        spec_table(),
        "SPEC.md's table is not that of records.rs: run UPDATE_SPEC=1 cargo test --test spec, and \
         mind that a released kind never changes"
    );
}

#[test]
fn the_numbers_in_the_text_are_right() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SPEC.md");
    let spec = fs::read_to_string(&path).expect("SPEC.md");
    let layout = Layout::new(FILE_BYTES_DEFAULT);
    let tables = layout.sections[4..6].iter().map(|section| section.entries());
    let tables: Vec<u64> = tables.collect();
    let modules = layout.section(SectionKind::Modules).entries();
    for expected in [
        format!("`{:#018x}`, `{:#018x}`", MAGIC[0], MAGIC[1]),
        format!("Words 0 to {}", HEADER_WORDS - 1),
        format!("{} rings of four sizes", layout.rings.len()),
        format!(
            "({},{:03} and {},{:03} in 64 MiB)",
            tables[0] / 1000,
            tables[0] % 1000,
            tables[1] / 1000,
            tables[1] % 1000
        ),
        format!("1 to {FRAMES_MAX}, and above it"),
        format!(
            "{},{:03} in 64 MiB, {} at least",
            modules / 1000,
            modules % 1000,
            Layout::new(FILE_BYTES_MIN).section(SectionKind::Modules).entries()
        ),
    ] {
        assert!(spec.contains(&expected), "SPEC.md lacks {expected:?}");
    }
}
