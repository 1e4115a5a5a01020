//! Options that TCP sockets of every kind have: those of std, and those that std lacks.
//!
//! A listener's options are what its connections start with.

/// Implements the options of a TCP socket on types with a `handle`.
macro_rules! tcp_options {
    ($($socket:ty),+) => {
        $(impl $socket {
            /// TCP_NODELAY: no waiting for more to fill a segment.
            pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
                self.handle.set_option(SocketOption::NoDelay, nodelay)
            }

            /// TCP_NODELAY.
            pub fn nodelay(&self) -> io::Result<bool> {
                Ok(self.handle.option(SocketOption::NoDelay)?.int()? != 0)
            }

            /// IP_TTL, 1 to 255. As on Linux, `u32::MAX` takes the default.
            pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
                self.handle.set_option(SocketOption::Ttl, ttl.cast_signed())
            }

            /// IP_TTL.
            pub fn ttl(&self) -> io::Result<u32> {
                Ok(u32::try_from(self.handle.option(SocketOption::Ttl)?.int()?).unwrap_or_default())
            }

            /// SO_ERROR: the pending error, told once.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.handle.take_error()
            }

            /// Nothing waits any more: `WouldBlock` instead.
            pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.handle.set_nonblocking(nonblocking);
                Ok(())
            }

            /// Our end.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.handle.once(|id, hub, _| hub.local_addr(id)?.ok_or(Errno::NOTCONN))
            }

            /// Another handle to the same socket; it is closed with the last one.
            pub fn try_clone(&self) -> io::Result<Self> {
                Ok(Self { handle: Arc::clone(&self.handle) })
            }

            /// A descriptor that is readable while this socket is ready, for `poll` and `epoll`.
            /// Make the socket non-blocking.
            ///
            /// # Errors
            ///
            /// No descriptors left.
            pub fn ready_fd(&self, interest: Interest) -> io::Result<ReadyFd> {
                self.handle.ready_fd(interest)
            }

            /// SO_LINGER; zero makes closing a reset. Otherwise dropping the last handle waits
            /// until all that was written is acknowledged, at most so long, and then resets the
            /// connection.
            pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
                self.handle.set_option(SocketOption::Linger, OptionValue::Linger(linger))
            }

            /// SO_LINGER.
            pub fn linger(&self) -> io::Result<Option<Duration>> {
                match self.handle.option(SocketOption::Linger)? {
                    OptionValue::Linger(linger) => Ok(linger),
                    OptionValue::Int(_) | OptionValue::Name(_) | OptionValue::Info(_) => {
                        Err(Errno::INVAL.into())
                    }
                }
            }

            /// SO_KEEPALIVE: whether a silent peer is asked if it is there.
            pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
                self.handle.set_option(SocketOption::KeepAlive, keepalive)
            }

            /// SO_KEEPALIVE.
            pub fn keepalive(&self) -> io::Result<bool> {
                Ok(self.handle.option(SocketOption::KeepAlive)?.int()? != 0)
            }

            /// TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT: after how much silence the peer is asked,
            /// how often, and how many questions without an answer end the connection. Whole
            /// seconds from 1 to 32,767; 1 to 127 questions.
            pub fn set_keepalive_times(&self, times: KeepAlive) -> io::Result<()> {
                let KeepAlive { idle, interval, probes } = times;
                let seconds = |time: Duration| i32::try_from(time.as_secs()).unwrap_or(i32::MAX);
                self.handle.set_option(SocketOption::KeepIdle, seconds(idle))?;
                self.handle.set_option(SocketOption::KeepInterval, seconds(interval))?;
                self.handle.set_option(SocketOption::KeepCount, i32::from(probes))
            }

            /// The three times of keep-alive.
            pub fn keepalive_times(&self) -> io::Result<KeepAlive> {
                self.handle.once(|id, hub, _| {
                    let options = hub.tcp_options(id)?;
                    Ok(KeepAlive {
                        idle: options.keepalive_idle,
                        interval: options.keepalive_interval,
                        probes: options.keepalive_probes,
                    })
                })
            }

            /// TCP_CONGESTION: the congestion control of this name; `NotFound` if there is none.
            pub fn set_congestion(&self, name: &str) -> io::Result<()> {
                self.handle.set_option(SocketOption::Congestion, OptionValue::Name(name.to_owned()))
            }

            /// TCP_CONGESTION.
            pub fn congestion(&self) -> io::Result<String> {
                match self.handle.option(SocketOption::Congestion)? {
                    OptionValue::Name(name) => Ok(name),
                    OptionValue::Int(_) | OptionValue::Linger(_) | OptionValue::Info(_) => {
                        Err(Errno::INVAL.into())
                    }
                }
            }

            /// TCP_USER_TIMEOUT: how long what was sent may stay unacknowledged before the
            /// connection fails; `None` is the default.
            pub fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
                let millis = limit.map_or(0, |limit| limit.as_millis());
                let millis = i32::try_from(millis).map_err(|_| Errno::INVAL)?;
                self.handle.set_option(SocketOption::UserTimeout, millis)
            }

            /// TCP_USER_TIMEOUT.
            pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
                self.handle.once(|id, hub, _| Ok(hub.tcp_options(id)?.user_timeout))
            }

            /// `setsockopt(2)`: any option.
            pub fn set_option(
                &self,
                option: SocketOption,
                value: impl Into<OptionValue>,
            ) -> io::Result<()> {
                self.handle.set_option(option, value)
            }

            /// `getsockopt(2)`: any option but TCP_INFO, which TCP has to be asked for.
            pub fn option(&self, option: SocketOption) -> io::Result<OptionValue> {
                self.handle.option(option)
            }
        })+
    };
}
pub(super) use tcp_options;

/// When and how often a silent peer is asked whether it is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// Silence before the first question; RFC 9293 3.8.4 has two hours as the default.
    pub idle: layer::Duration,
    /// Time between questions.
    pub interval: layer::Duration,
    /// Questions without an answer that end the connection.
    pub probes: u8,
}
