//! Where the workspace is and which files and crates it holds.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Root of the checkout: the folder above this crate.
pub(crate) fn root() -> PathBuf {
    // At run time cargo names the folder; the one of compile time serves a binary run by hand.
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}

/// Folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// All files with this ending as (path relative to the root, text), in path order. Folders named
/// `target` and hidden ones are left out.
pub(crate) fn files(extension: &str) -> anyhow::Result<Vec<(String, String)>> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == extension) {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let relative = path.strip_prefix(&root).unwrap_or(&path);
                found.push((relative.to_string_lossy().into_owned(), text));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The manifests of the workspace's crates as (folder, text).
pub(crate) fn manifests() -> anyhow::Result<Vec<(String, String)>> {
    let crates = files("toml")?.into_iter().filter_map(|(path, text)| {
        let folder = path.strip_suffix("/Cargo.toml")?;
        (!folder.contains('/')).then(|| (folder.to_owned(), text))
    });
    Ok(crates.collect())
}
