//! Plays every packet script of the tree: `tcp/tests/scripts/**/*.pkt`.

use std::path::Path;

use sim::script;

#[test]
fn scripts() {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("sim stands in the tree");
    let folder = tree.join("tcp/tests/scripts");
    let files = script::files_below(&folder).expect("the folder is there");
    assert!(files.len() >= 12, "only {} scripts in {}", files.len(), folder.display());
    let failed: Vec<String> = files
        .iter()
        .filter_map(|path| script::run_file(path).err())
        .map(|error| error.to_string())
        .collect();
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), files.len(), failed.join("\n"));
}
