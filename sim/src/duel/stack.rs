//! What a setting means for the stack of an end, and what such a stack may hold.

use tcp::{BufferSizes, Config, EcnPolicy, MemoryLimits, SynCookies};

use super::actions::Setting;

/// Connections that an end may have.
const CONNECTIONS: usize = 8;
/// Early pieces of a connection.
const PIECES: usize = 64;
/// Buffers that size themselves grow to this, bytes.
const LARGEST: u32 = 128 * 1024;
/// Memory of all connections where it is short, bytes.
const POOR: u64 = 32 * 1024;
/// More than any connection's bookkeeping, and than the bookkeeping of a piece.
const OVERHEAD: usize = 4096;

pub(super) fn config(side: usize, setting: &Setting) -> Config {
    let mut key = [setting.seed; 16];
    key[0] = u8::try_from(side).unwrap_or(0);
    let mut config = Config::new(key);
    let sizes = BufferSizes { least: 4096, initial: 16 * 1024, most: LARGEST };
    (config.receive_buffer, config.send_buffer) = (sizes, sizes);
    (config.max_connections, config.max_pieces) = (CONNECTIONS, PIECES);
    (config.sack, config.timestamps) = (setting.sack, setting.timestamps);
    config.congestion = if setting.reno { "reno" } else { "cubic" };
    if setting.ecn {
        config.ecn = EcnPolicy::Active;
    }
    if setting.cookies {
        config.syn_cookies = SynCookies::Always;
    }
    if setting.poor {
        config.memory = MemoryLimits::of(POOR);
    }
    config
}

/// The most that a stack may hold, bytes.
pub(super) fn limit(setting: &Setting) -> usize {
    let buffer = setting.buffer.unwrap_or(LARGEST) as usize;
    // Both buffers, what may lie before a window that was offered, and the pieces' blocks.
    let each = 4 * buffer + PIECES * (OVERHEAD + setting.mtu as usize) + OVERHEAD;
    CONNECTIONS * each
}
