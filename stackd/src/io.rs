//! Devices on threads: who reads frames, who writes them, and what happens when one fails.
//!
//! ```text
//!      device fd --ppoll--> reader thread --Lane<Frame>--> lowest stage (run on the spot)
//!      device fd <--write-- Writer (whoever delivers to it) <--Lane<Frame>-- lowest stage
//! ```

mod reader;
mod seat;
mod split;
mod wake;
mod writer;

pub use reader::{Failure, MOST_DEVICES, Reader, ReaderConfig, ReadingHalf};
pub use seat::Seat;
pub use split::{ByInterface, Direct, Nowhere};
pub use wake::EventFd;
pub use writer::{Books, Writer};
