//! `cargo xtask fuzz`: looks for inputs that break a promise.
//!
//! What is run and checked is in `sim` (`sim::duel`, `sim::parsing`). Who looks is libFuzzer where
//! a nightly compiler and cargo-fuzz are installed (`fuzz/libfuzzer.rs`; the targets stand in
//! `fuzz/`, outside of the workspace), and the generator of `sim::search` elsewhere
//! (`fuzz/own.rs`). The inputs kept in `fuzz/corpus` are run by an ordinary test, too.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use sim::search::Target;

use crate::workspace;

mod libfuzzer;
mod own;

/// What to fuzz, and for how long.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cargo xtask fuzz --seconds 60                       every target, a minute each
  cargo xtask fuzz --target connection --seconds 600  one target, ten minutes
  cargo xtask fuzz --own --seed 7                     without libFuzzer, inputs of seed 7
  cargo xtask fuzz --target connection --replay FILE  what one input does, segment by segment

Targets:
  connection  two stacks over a hostile wire, or one under attack; a list of bytes decides all
  segment     any bytes as a TCP segment with options

With a nightly compiler and cargo-fuzz, libFuzzer looks for inputs that reach new code; without,
a seeded generator that knows what inputs are made of. The first line says which. A find is written
to fuzz/artifacts/TARGET. What libFuzzer gathers is in fuzz/gathered/TARGET and not kept; what is
worth keeping goes to fuzz/corpus/TARGET, which `cargo test -p sim --test duel` runs.")]
pub(crate) struct Args {
    /// Only this target
    #[arg(long, value_parser = ["connection", "segment"])]
    target: Option<String>,
    /// How long to fuzz each target
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    seconds: u64,
    /// First seed of the generator; libFuzzer's, too
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Use the generator even where libFuzzer is installed
    #[arg(long)]
    own: bool,
    /// Drop gathered inputs that add nothing, instead of looking for new ones (libFuzzer only)
    #[arg(long, conflicts_with = "own")]
    minimize: bool,
    /// Run this input of the target, make it small if it breaks a promise, and say what it does
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
}

/// Where things of one target are.
struct Place {
    target: Target,
    root: PathBuf,
}

impl Place {
    /// Inputs in the repository.
    fn corpus(&self) -> PathBuf {
        self.root.join("fuzz/corpus").join(self.target.name())
    }

    /// Inputs that libFuzzer found worth keeping.
    fn gathered(&self) -> PathBuf {
        self.root.join("fuzz/gathered").join(self.target.name())
    }

    /// Inputs that break a promise.
    fn artifacts(&self) -> PathBuf {
        self.root.join("fuzz/artifacts").join(self.target.name())
    }
}

/// Fuzzes; fails if a target breaks a promise, with the way to reproduce it.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args { target, seconds, seed, own, minimize, replay } = args;
    let wanted = |known: &Target| target.as_deref().is_none_or(|name| name == known.name());
    let targets: Vec<Target> = Target::ALL.into_iter().filter(wanted).collect();
    if let (Some(path), [target]) = (replay, &targets[..]) {
        return own::replay(*target, &path);
    }
    let missing = if own { Some("as asked".to_owned()) } else { libfuzzer::missing() };
    match &missing {
        None => println!("engine: libFuzzer (nightly compiler and cargo-fuzz are installed)"),
        Some(why) => println!("engine: our own generator, seed {seed} (no libFuzzer: {why})"),
    }
    if let Some(why) = missing.as_ref().filter(|_| minimize) {
        anyhow::bail!("--minimize needs libFuzzer: {why}");
    }
    let mut failed = Vec::new();
    for target in targets {
        let place = Place { target, root: workspace::root() };
        let clean = match (&missing, minimize) {
            (None, true) => libfuzzer::minimize(&place).map(|()| true)?,
            (None, false) => libfuzzer::search(&place, seed, seconds)?,
            (Some(_), _) => own::search(&place, seed, seconds)?,
        };
        if !clean {
            failed.push(target.name());
        }
    }
    ensure!(failed.is_empty(), "broken: {}", failed.join(", "));
    Ok(())
}

/// The inputs in a folder, by name; none if there is no folder.
fn inputs(folder: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).with_context(|| path.display().to_string());
    paths.iter().filter(|path| path.is_file()).map(read).collect()
}

/// How to see a find again.
fn how_to_reproduce(target: Target, path: &Path) -> String {
    format!("again: cargo xtask fuzz --target {} --replay {}", target.name(), path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_each_target_is_found() {
        for target in Target::ALL {
            let place = Place { target, root: workspace::root() };
            assert!(inputs(&place.corpus()).unwrap().len() >= 10, "{}", target.name());
        }
        assert!(inputs(Path::new("/nowhere/at/all")).unwrap().is_empty());
    }

    #[test]
    fn a_find_comes_with_the_way_to_reproduce_it() {
        let told = how_to_reproduce(Target::Segment, Path::new("fuzz/artifacts/segment/find-1-7"));
        assert!(told.ends_with("--target segment --replay fuzz/artifacts/segment/find-1-7"));
    }
}
