//! `include/stack.h` is what cbindgen makes of the sources today.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::path::Path;

const HEAD: &str =
    "/* A TCP/IP stack in user space, for C. Made by cbindgen from the crate capi; renew it by
 *     WRITE_HEADER=1 cargo test -p capi --test header
 *
 * A number that is negative is an errno of Linux, negated. A pointer that is null is a failure, and
 * stack_last_error() its errno. Null where something must be is EFAULT.
 *
 * What the caller promises: a pointer that is not null leads to what its type says, of the length
 * that stands beside it, and that stays so during the call. What a stack_*_new, stack_start_*,
 * stack_connect, stack_listen, stack_udp or stack_accept answered is used until it is given back,
 * once, and not after. A stack_host is used by one thread at a time; everything else by any number.
 */";

fn generate() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        header: Some(HEAD.to_owned()),
        include_guard: Some("STACK_H".to_owned()),
        cpp_compat: true,
        no_includes: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).into(),
        usize_is_size_t: true,
        style: cbindgen::Style::Both,
        line_length: 100,
        documentation_style: cbindgen::DocumentationStyle::C99,
        ..cbindgen::Config::default()
    };
    let names = [
        ("Address", "stack_address"),
        ("Host", "stack_host"),
        ("Socket", "stack_socket"),
        ("Stack", "stack"),
    ];
    config.export.rename =
        names.into_iter().map(|(rust, c)| (rust.to_owned(), c.to_owned())).collect();
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(folder.join("src/address.rs"))
        .with_src(folder.join("src/host.rs"))
        .with_src(folder.join("src/host/sys.rs"))
        .with_src(folder.join("src/sockets.rs"))
        .with_src(folder.join("src/sockets/sys.rs"))
        .generate()
        .unwrap()
        .write(&mut made);
    String::from_utf8(made).unwrap()
}

#[test]
fn the_header_is_current() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/stack.h");
    let made = generate();
    if std::env::var_os("WRITE_HEADER").is_some() {
        std::fs::write(&place, &made).unwrap();
    }
    let there = std::fs::read_to_string(&place).unwrap_or_default();
    assert!(there == made, "renew it: WRITE_HEADER=1 cargo test -p capi --test header");
}
