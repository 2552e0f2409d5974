//! Finds out what the standard library at hand has.

fn main() {
    let cfg = autocfg::new();
    autocfg::rerun_path("build.rs");
    for (name, major, minor) in [
        // Anonymous pipes.
        ("async_io_pipe", 1, 87),
        // `Waker::data`.
        ("async_io_waker_data", 1, 83),
    ] {
        autocfg::emit_possibility(name);
        if cfg.probe_rustc_version(major, minor) {
            autocfg::emit(name);
        }
    }
}
