//! Who is believed: flag over variable over file.

use super::super::{Asked, DEFAULT_TAP, items_with};
use super::*;

/// Settings of a command line, an environment and a file, with who said them.
fn said(line: &str, variables: &[(&str, &str)], file: &str) -> Result<Vec<String>, String> {
    let path = std::env::temp_dir().join(format!(
        "stackd-layers-{}-{:p}.toml",
        std::process::id(),
        &raw const line
    ));
    std::fs::write(&path, file).unwrap();
    let config = format!("--config={}", path.display());
    let words = ["stackd", &config].into_iter().chain(line.split_whitespace());
    let environment = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
    };
    let items = items_with(words.map(OsString::from), &environment);
    std::fs::remove_file(&path).unwrap();
    let items = items.map_err(|error| error.to_string())?;
    let from = |origin: &Origin| match origin {
        Origin::Line(_, line) => format!("line {line}"),
        other => other.to_string(),
    };
    let shown = |item: &Item| {
        format!("{}={} {}", item.key, item.value.to_string_lossy(), from(&item.origin))
    };
    Ok(items.iter().map(shown).collect())
}

const FILE: &str = "pipeline = \"inline\"\nacd = \"strict\"\noffload = false\n\
                    service = [\"echo:7\", \"http:80\"]\n";

#[test]
fn a_flag_is_believed_before_a_variable_and_that_before_the_file() {
    let variables = [("STACKD_PIPELINE", "stages"), ("STACKD_ACD", "off")];
    let expected = [
        "pipeline=layers flag",
        "acd=off STACKD_ACD",
        "offload=off line 3",
        "service=echo:7 line 4",
        "service=http:80 line 4",
    ];
    assert_eq!(said("--pipeline layers", &variables, FILE).unwrap(), expected);
}

#[test]
fn a_list_is_taken_as_a_whole() {
    let found = said("--service discard", &[], FILE).unwrap();
    assert_eq!(found.iter().filter(|item| item.starts_with("service")).count(), 1);
    let found = said("", &[("STACKD_SERVICE", "echo, discard")], "").unwrap();
    assert_eq!(found, ["service=echo STACKD_SERVICE", "service=discard STACKD_SERVICE"]);
}

const TWO: &str = "[[interface]]\ntap = \"a\"\naddress = \"10.0.1.2/24\"\nmtu = 9000\n\
                   [[interface]]\ntap = \"b\"\naddress = \"10.0.2.2/24\"\nmtu = 9000\n";

#[test]
fn who_names_a_device_leaves_out_the_others() {
    let found = said("--tap c --address 10.0.3.2/24", &[], TWO).unwrap();
    assert_eq!(found, ["tap=c flag", "address=10.0.3.2/24 flag"]);
}

#[test]
fn what_is_said_without_a_device_is_about_the_first_and_the_mtu_about_all() {
    let found = said("--address 10.0.9.2/24 --mtu 1400", &[], TWO).unwrap();
    let expected = [
        "address=10.0.9.2/24 flag",
        "mtu=1400 flag",
        "tap=a line 2",
        "tap=b line 6",
        "address=10.0.2.2/24 line 7",
    ];
    assert_eq!(found, expected);
}

#[test]
fn values_that_make_no_sense_are_said_where_they_stand() {
    let wrong = said("", &[], "\npipeline = \"spaghetti\"\n").unwrap_err();
    assert!(wrong.contains(".toml:2: ") && wrong.contains("spaghetti"), "{wrong}");
    let wrong = said("", &[("STACKD_MTU", "many")], "").unwrap_err();
    assert!(wrong.contains("STACKD_MTU: "), "{wrong}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let words = ["stackd", "--config", "/nowhere/stackd.toml"].map(OsString::from);
    let wrong = items_with(words.into_iter(), &|_| None).unwrap_err().to_string();
    assert!(wrong.contains("/nowhere/stackd.toml"), "{wrong}");
}

#[test]
fn a_file_is_a_host() {
    let path = std::env::temp_dir().join(format!("stackd-host-{}.toml", std::process::id()));
    std::fs::write(&path, TWO).unwrap();
    let words = ["stackd".into(), "--config".into(), path.clone().into_os_string()];
    let asked = Asked::read_with(words, &|_| None);
    std::fs::remove_file(&path).unwrap();
    let Ok(Asked::Serve(args)) = asked else { panic!("{asked:?}") };
    let devices: Vec<String> =
        args.host.interfaces.iter().map(|i| i.attachment.to_string()).collect();
    assert_eq!(devices, ["TAP a", "TAP b"]);
    assert_eq!(args.host.interfaces[1].mtu, Some(9000));
    assert_ne!(devices[0], DEFAULT_TAP);
}
