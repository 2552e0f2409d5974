//! Compiles the hooks out of this copy, and otherwise sets what the drop-in's own build script
//! finds with the compiler of this workspace. Says so when the two manifests have grown apart.

use std::fs;

fn main() {
    for cfg in ["async_io_no_hooks", "async_io_pipe", "async_io_waker_data"] {
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        println!("cargo::rustc-cfg={cfg}");
    }
    let here = dependencies("Cargo.toml");
    for line in dependencies("../../Cargo.toml") {
        // The paths of our own crates differ with the place of the manifest.
        if !here.contains(&line) && !line.contains("path = ") {
            println!("cargo::warning=benches/no-hooks/Cargo.toml has not the drop-in's `{line}`");
        }
    }
}

/// The lines of the manifest that name a dependency of the library.
fn dependencies(manifest: &str) -> Vec<String> {
    println!("cargo::rerun-if-changed={manifest}");
    let text = fs::read_to_string(manifest).expect("the manifests are part of the repository");
    let mut lines = Vec::new();
    let mut listed = false;
    for line in text.lines() {
        if line.starts_with('[') {
            let of_library = line == "[dependencies]" || line.ends_with(".dependencies]");
            listed = of_library && !line.starts_with("[workspace");
        } else if listed && line.contains(" = ") {
            lines.push(line.to_owned());
        }
    }
    lines
}
