//! Fuzzing by libFuzzer, which needs a nightly compiler and cargo-fuzz.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use sim::search::LONGEST;

use super::{Place, how_to_reproduce, inputs};

/// What libFuzzer said at its end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Figures {
    executions: u64,
    per_second: u64,
}

/// What has to be installed first, if anything.
pub(super) fn missing() -> Option<String> {
    let works = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        // The compiler of the workspace would win over `+nightly`.
        command.args(arguments).env_remove("RUSTUP_TOOLCHAIN");
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    if !works(&["+nightly", "--version"]) {
        return Some("rustup toolchain install nightly --profile minimal".to_owned());
    }
    let fuzz = works(&["+nightly", "fuzz", "--version"]);
    (!fuzz).then(|| "cargo install cargo-fuzz --locked".to_owned())
}

/// Looks for `seconds`, up to the first find. True if there is none.
pub(super) fn search(place: &Place, seed: u64, seconds: u64) -> anyhow::Result<bool> {
    let (name, gathered) = (place.target.name(), place.gathered());
    fs::create_dir_all(&gathered).with_context(|| gathered.display().to_string())?;
    let known = inputs(&place.corpus())?.len() + inputs(&gathered)?.len();
    println!("{name}: {known} inputs to begin with; {seconds} s");
    let mut command = cargo_fuzz(&place.root, "run", name);
    // New ones go to the first folder.
    command.arg(&gathered).arg(place.corpus()).arg("--").args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={LONGEST}"),
        format!("-seed={}", seed.clamp(1, u64::from(u32::MAX))),
        "-print_final_stats=1".to_owned(),
        "-timeout=20".to_owned(),
    ]);
    let output = command.stdout(Stdio::inherit()).output().context("cannot run cargo fuzz")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let Figures { executions, per_second } = figures(&said);
    println!("{name}: {executions} executions, {per_second} a second");
    if !output.status.success() {
        eprintln!("{}", tail(&said));
        eprintln!("{}", how_to_reproduce(place.target, &artifact(place, &said)));
    }
    Ok(output.status.success())
}

/// Makes the gathered inputs few.
pub(super) fn minimize(place: &Place) -> anyhow::Result<()> {
    let (name, gathered) = (place.target.name(), place.gathered());
    fs::create_dir_all(&gathered).with_context(|| gathered.display().to_string())?;
    let before = inputs(&gathered)?.len();
    let done = cargo_fuzz(&place.root, "cmin", name).arg(&gathered).status()?;
    ensure!(done.success(), "cargo fuzz cmin failed for {name}");
    println!("{name}: {} of {before} inputs add something", inputs(&gathered)?.len());
    Ok(())
}

fn cargo_fuzz(root: &Path, task: &str, target: &str) -> Command {
    let mut command = Command::new("cargo");
    // The code is safe Rust: sanitizers would cost half the speed for nothing.
    command.args(["+nightly", "fuzz", task, "--sanitizer", "none", target]);
    command.current_dir(root);
    command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTUP_TOOLCHAIN");
    command
}

/// What libFuzzer prints with -print_final_stats=1.
fn figures(said: &str) -> Figures {
    let number = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok()).unwrap_or_default()
    };
    Figures {
        executions: number("stat::number_of_executed_units"),
        per_second: number("stat::average_exec_per_sec"),
    }
}

/// The last lines, where the reason stands.
fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The file that libFuzzer says it has written.
fn artifact(place: &Place, said: &str) -> PathBuf {
    let path = said.split_whitespace().rfind(|word| word.contains("artifacts/"));
    path.map_or_else(|| place.artifacts(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use sim::search::Target;

    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "Done 12 runs\nstat::number_of_executed_units: 3456\n\
                    stat::average_exec_per_sec:     78\n";
        assert_eq!(figures(said), Figures { executions: 3456, per_second: 78 });
        assert_eq!(figures("nothing"), Figures::default());
    }

    #[test]
    fn the_file_of_a_find_is_read_or_at_least_its_folder() {
        let place = Place { target: Target::Connection, root: PathBuf::from("/x") };
        let said = "Test unit written to /x/fuzz/artifacts/connection/crash-12\nBase64: abc";
        assert_eq!(artifact(&place, said), Path::new("/x/fuzz/artifacts/connection/crash-12"));
        assert_eq!(artifact(&place, ""), Path::new("/x/fuzz/artifacts/connection"));
    }
}
