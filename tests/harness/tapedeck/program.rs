//! Where the program under test is, and what of the environment it gets.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// The `tapedeck` program: `$TAPEDECK_PROGRAM`, else the one built beside the tests.
///
/// # Panics
/// It was not built; the message says how.
pub fn find() -> PathBuf {
    if let Some(path) = env::var_os("TAPEDECK_PROGRAM") {
        return path.into();
    }
    let test = env::current_exe().expect("the path of the test program");
    // target/debug/deps/recording-… → target/debug/tapedeck
    let program = test
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("tapedeck"))
        .find(|candidate| candidate.is_file());
    program.unwrap_or_else(|| {
        panic!("the program under test is missing; build it with: cargo build --bin tapedeck")
    })
}

/// Variables that programs need in general; everything else could be configuration.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "LD_LIBRARY_PATH",
    "GST_PLUGIN_PATH",
    "GST_REGISTRY",
    "RUST_LOG",
];

/// Takes everything out of a command's environment that could configure the server.
pub fn clean_environment(command: &mut Command) {
    command.env_clear();
    for name in KEPT {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
}
