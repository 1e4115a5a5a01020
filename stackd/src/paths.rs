//! Where a daemon's Unix sockets are, and how one is claimed.
//!
//! ```text
//!    /run/stackd/NAME.sock                  the control socket, where root starts the daemon
//!    $XDG_RUNTIME_DIR/stackd/NAME.sock      the same for other users
//!    .../NAME.run                           its sibling for `stackd run`
//! ```
//!
//! Left out: abstract sockets, which have neither an owner nor a mode.

use core::fmt;
use core::str::FromStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

/// Longest name: the path of a Unix socket has 107 bytes in all.
const LONGEST: usize = 32;

/// Who may connect: the owner and the group. The peer's credentials are checked besides.
const SOCKET_MODE: u32 = 0o660;

/// What a daemon is called among those on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Default for Name {
    /// The one daemon that most machines have: `stackd`.
    fn default() -> Self {
        Self("stackd".to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 32 of a-z, A-Z, 0-9, - and _")]
pub struct NotAName;

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let good = !text.is_empty() && text.len() <= LONGEST && text.chars().all(fits);
        if good { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }
}

/// The directory of this user's daemons. Root inside a user namespace is the user it is outside.
pub fn directory() -> PathBuf {
    let uid = geteuid();
    let owned_run = || fs::metadata("/run").is_ok_and(|run| run.uid() == uid.as_raw());
    if uid.is_root() && owned_run() {
        return PathBuf::from("/run/stackd");
    }
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| !path.is_empty()) {
        Some(runtime) => PathBuf::from(runtime).join("stackd"),
        // Nobody logged in with a session: a directory that only this user can have made.
        None => std::env::temp_dir().join(format!("stackd-{}", uid.as_raw())),
    }
}

/// The control socket of the daemon of that name.
pub fn control(name: &Name) -> PathBuf {
    directory().join(format!("{name}.sock"))
}

/// Where `stackd run` reaches the daemon of that name.
pub fn run(name: &Name) -> PathBuf {
    directory().join(format!("{name}.run"))
}

/// The names of the daemons that answer here.
pub fn living() -> Vec<String> {
    let entries = fs::read_dir(directory()).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "sock"))
        .filter(|path| UnixStream::connect(path).is_ok())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort_unstable();
    names
}

/// Why a socket could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Somebody answers there.
    #[error("another daemon answers at {}", .0.display())]
    Taken(PathBuf),
    /// Something else has that name.
    #[error("{} is there and is no socket", .0.display())]
    NotASocket(PathBuf),
    /// The directory belongs to somebody else, who could put another socket in place of ours.
    #[error("{} belongs to somebody else", .0.display())]
    Foreign(PathBuf),
    /// The file system says no.
    #[error("cannot make the socket {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A listening Unix socket with a name in the file system; dropped, the name is gone.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Door {
    /// Listens at `path`, mode 0660. The socket of a daemon that died is replaced; that of a living
    /// one is not.
    ///
    /// # Errors
    ///
    /// [`ClaimError`].
    pub fn open(path: &Path) -> Result<Self, ClaimError> {
        let failed = |source| ClaimError::Io { path: path.to_owned(), source };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        make(parent).map_err(failed)?;
        let home = fs::metadata(parent).map_err(failed)?;
        let shared = home.mode() & 0o1000 != 0;
        if home.uid() != geteuid().as_raw() && home.uid() != 0 && !shared {
            return Err(ClaimError::Foreign(parent.to_owned()));
        }
        // Two that start at once look one after the other.
        let lock = File::open(parent).map_err(failed)?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => {
                return Err(ClaimError::NotASocket(path.to_owned()));
            }
            Ok(_) => match UnixStream::connect(path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    fs::remove_file(path).map_err(failed)?;
                }
                Ok(_) | Err(_) => return Err(ClaimError::Taken(path.to_owned())),
            },
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let mode = fs::Permissions::from_mode(SOCKET_MODE);
        fs::set_permissions(path, mode).map_err(failed)?;
        let inode = fs::symlink_metadata(path).map_err(failed)?.ino();
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    /// What is to be accepted from.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Somebody may have put another one there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the directory of sockets: open to look into for root's, to nobody for another user's.
fn make(directory: &Path) -> io::Result<()> {
    let mode = if geteuid().is_root() { 0o755 } else { 0o700 };
    DirBuilder::new().recursive(true).mode(mode).create(directory)
}

#[cfg(test)]
mod tests;
