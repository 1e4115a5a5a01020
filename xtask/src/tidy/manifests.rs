//! The rule about dependencies: a star, not a chain.

use toml::{Table, Value};

use crate::finding::Finding;
use crate::tidy::PROTOCOL;

/// A protocol crate knows `layer` alone, and `layer` knows no crate of the workspace. Edges that
/// only tests need are free. `crates` names all crates of the workspace, `text` is the manifest.
pub(super) fn star(name: &str, crates: &[&str], text: &str) -> Vec<Finding> {
    let path = &format!("{name}/Cargo.toml");
    let allowed: &[&str] = match name {
        "layer" => &[],
        _ if PROTOCOL.contains(&name) => &["layer"],
        _ => return Vec::new(),
    };
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Finding::new(path, 1, format!("cannot be read: {error}"))],
    };
    let mut findings = Vec::new();
    for (key, package) in dependencies(&manifest) {
        let package = package.as_str();
        if crates.contains(&package) && !allowed.contains(&package) {
            let line = text.lines().position(|l| l.trim_start().starts_with(&key)).unwrap_or(0) + 1;
            let message = format!(
                "{name} depends on {package}: what layers share stands in layer/src/boundary.rs"
            );
            findings.push(Finding::new(path, line, message));
        }
    }
    findings
}

/// (key, package) of all dependencies that are not only for tests, those of a target included.
fn dependencies(manifest: &Table) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    for table in tables.chain([manifest]) {
        for section in ["dependencies", "build-dependencies"] {
            let Some(entries) = table.get(section).and_then(Value::as_table) else { continue };
            for (key, value) in entries {
                let renamed = value.get("package").and_then(Value::as_str);
                found.push((key.clone(), renamed.unwrap_or(key).to_owned()));
            }
        }
    }
    found
}
