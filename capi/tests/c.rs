//! The example in C is compiled with the system's compiler, linked with the library, and run.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder that cargo builds libraries into for tests: this program's own.
fn built() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_owned()
}

fn compiler() -> Option<&'static str> {
    let works = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    ["cc", "gcc", "clang"].into_iter().find(works)
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

#[test]
fn the_example_in_c_runs() {
    let Some(compiler) = compiler() else {
        println!("skipped: there is no C compiler here (apt-get install gcc)");
        return;
    };
    let (here, built) = (Path::new(env!("CARGO_MANIFEST_DIR")), built());
    let library = built.join("libstack_c.a");
    assert!(library.exists(), "{} was not built", library.display());
    let program = built.join(format!("capi-talk-{}", std::process::id()));
    let compiled = Command::new(compiler)
        .args(["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(here.join("include"))
        .arg(here.join("examples/talk.c"))
        .arg(&library)
        .args(["-lpthread", "-lm", "-ldl", "-o"])
        .arg(&program)
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", said(&compiled));
    let run = Command::new(&program).output();
    std::fs::remove_file(&program).unwrap();
    let run = run.unwrap();
    assert!(run.status.success(), "{}", said(&run));
    let lines = said(&run);
    assert!(lines.contains("embedded: \"hello\" in"), "{lines}");
    assert!(lines.contains("blocking: \"hello\"\n"), "{lines}");
    assert!(lines.contains("nobody on port 9: Connection refused"), "{lines}");
    assert!(lines.ends_with("misuse: refused\n"), "{lines}");
}
