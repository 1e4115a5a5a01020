//! The binary.
mod args;
mod rootless;
mod services;

fn main() {
    let args = args::Args::parse();
    if !rootless::is_privileged() {
        rootless::enter("stack0").unwrap();
        rootless::tap_by_root("x");
    }
    println!("{args:?}");
}
