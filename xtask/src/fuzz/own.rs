//! Fuzzing without libFuzzer, on any machine: the inputs of `sim::search`, one after another.

use std::fs;
use std::panic;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use sim::search::Target;

use super::{Place, how_to_reproduce, inputs};

/// Looks for `seconds`, up to the first find. True if there is none.
pub(super) fn search(place: &Place, seed: u64, seconds: u64) -> anyhow::Result<bool> {
    let target = place.target;
    let name = target.name();
    let corpus = inputs(&place.corpus())?;
    println!("{name}: {} inputs of the corpus to begin with; {seconds} s", corpus.len());
    let hook = panic::take_hook();
    // A panic is a find like any other, and is told with its input.
    panic::set_hook(Box::new(|_| {}));
    let (start, most) = (now(), Duration::from_secs(seconds));
    let made = |number: u64| match corpus.get(number as usize) {
        Some(kept) => kept.clone(),
        None => target.input(seed, number, &corpus),
    };
    let mut number = 0;
    let mut find = None;
    while find.is_none() && start.elapsed() < most {
        let input = made(number);
        find = target.failure(&input).map(|what| (what, input));
        number += 1;
    }
    let small = find.map(|(what, input)| (what, target.shrink(input)));
    panic::set_hook(hook);
    let rate = number.checked_div(start.elapsed().as_secs().max(1)).unwrap_or_default();
    println!("{name}: {number} executions, {rate} a second");
    let Some((what, small)) = small else { return Ok(true) };
    let folder = place.artifacts();
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(format!("find-{seed}-{}", number - 1));
    fs::write(&path, small).with_context(|| path.display().to_string())?;
    eprintln!("{name}: {what}\nwritten, as small as it gets, to {}", path.display());
    eprintln!("{}", how_to_reproduce(target, &path));
    Ok(false)
}

#[expect(clippy::disallowed_methods, reason = "somebody said how long to look")]
fn now() -> Instant {
    Instant::now()
}

/// Runs one input and says what it does, in the smallest form if it breaks a promise.
pub(super) fn replay(target: Target, path: &Path) -> anyhow::Result<()> {
    let input = fs::read(path).with_context(|| path.display().to_string())?;
    let Some(what) = target.failure(&input) else {
        println!("{}", target.explain(&input));
        return Ok(());
    };
    let small = target.shrink(input);
    println!("{}", target.explain(&small));
    let smaller = path.with_extension("small");
    fs::write(&smaller, small).with_context(|| smaller.display().to_string())?;
    anyhow::bail!("{what}\nthe small form is written to {}", smaller.display())
}
