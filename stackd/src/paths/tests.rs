//! Names, and who gets a socket.

use super::*;

/// An empty directory, gone at the end.
struct Place(PathBuf);

impl Place {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stackd-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("a.sock")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_name_is_short_and_no_path() {
    for good in ["stackd", "a", "lab-2_b", &"x".repeat(32)] {
        assert_eq!(good.parse::<Name>().unwrap().to_string(), good);
    }
    for bad in ["", "a/b", "..", "a.b", "a b", "ä", &"x".repeat(33)] {
        assert_eq!(bad.parse::<Name>(), Err(NotAName), "{bad}");
    }
}

#[test]
fn the_two_sockets_of_a_daemon_are_siblings() {
    let name: Name = "lab".parse().unwrap();
    assert_eq!(control(&name).file_name().unwrap(), "lab.sock");
    assert_eq!(run(&name).file_name().unwrap(), "lab.run");
    assert_eq!(control(&name).parent(), run(&name).parent());
    assert_eq!(control(&Name::default()), directory().join("stackd.sock"));
}

#[test]
fn a_door_is_for_owner_and_group_and_goes_with_its_daemon() {
    let place = Place::new("mode");
    let door = Door::open(&place.socket()).unwrap();
    let mode = fs::metadata(door.path()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(UnixStream::connect(door.path()).is_ok());
    drop(door);
    assert!(!place.socket().exists());
}

#[test]
fn a_living_daemon_keeps_its_socket_and_a_dead_one_does_not() {
    let place = Place::new("taken");
    let door = Door::open(&place.socket()).unwrap();
    assert!(matches!(Door::open(&place.socket()), Err(ClaimError::Taken(_))));
    // As after kill -9: the name is there, nobody listens.
    let listener = door.listener().try_clone().unwrap();
    core::mem::forget(door);
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    drop(listener);
    assert!(place.socket().exists());
    let again = Door::open(&place.socket()).unwrap();
    assert!(UnixStream::connect(again.path()).is_ok());
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let place = Place::new("file");
    fs::write(place.socket(), "precious").unwrap();
    assert!(matches!(Door::open(&place.socket()), Err(ClaimError::NotASocket(_))));
    assert_eq!(fs::read_to_string(place.socket()).unwrap(), "precious");
}

#[test]
fn who_replaces_the_socket_is_not_robbed_of_it() {
    let place = Place::new("replaced");
    let door = Door::open(&place.socket()).unwrap();
    // Both exist at once, so their inodes differ.
    let other = place.0.join("b.sock");
    let _other = UnixListener::bind(&other).unwrap();
    fs::rename(&other, place.socket()).unwrap();
    drop(door);
    assert!(place.socket().exists());
}
