//! Programs that cases need, and the packages to name when one is missing.

use crate::install;

/// Says what to install, if one of these programs is not there.
pub(super) fn missing(needed: &[&str]) -> Option<String> {
    let program = needed.iter().find(|program| !install::has(program))?;
    let mut known = install::PROGRAMS.iter().chain(install::OPTIONAL);
    let package = known.find(|(name, _)| name == program);
    let package = package.map_or(*program, |(_, package)| *package);
    Some(format!("no {program} here: apt-get install {package}, or run with --install"))
}
