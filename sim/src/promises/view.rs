//! A segment as the checker sees it: read by a strict parser that is not the stack's.

use core::fmt;

use etherparse::{TcpOptionElement, TcpSlice};

/// A TCP segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// SEG.SEQ.
    pub seq: u32,
    /// SEG.ACK, with the ACK bit.
    pub ack: Option<u32>,
    /// SYN.
    pub syn: bool,
    /// FIN.
    pub fin: bool,
    /// RST.
    pub rst: bool,
    /// The window field.
    pub window: u16,
    /// MSS option.
    pub mss: Option<u16>,
    /// Window scale option; more than 14 counts as 14 (RFC 7323 2.3).
    pub scale: Option<u8>,
    /// Timestamps option: value and echo.
    pub stamps: Option<(u32, u32)>,
    /// SACK blocks.
    pub sack: Vec<(u32, u32)>,
    /// Bytes of options, padding included.
    pub options: usize,
    /// The text.
    pub text: Vec<u8>,
}

impl View {
    /// Reads a segment from its TCP header on.
    ///
    /// # Errors
    ///
    /// What a strict receiver would not take.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let tcp = TcpSlice::from_slice(bytes).map_err(|error| error.to_string())?;
        let mut view = Self {
            seq: tcp.sequence_number(),
            ack: tcp.ack().then(|| tcp.acknowledgment_number()),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            window: tcp.window_size(),
            options: tcp.options().len(),
            text: tcp.payload().to_vec(),
            ..Self::default()
        };
        for option in tcp.options_iterator() {
            match option {
                Ok(TcpOptionElement::MaximumSegmentSize(mss)) => view.mss = Some(mss),
                Ok(TcpOptionElement::WindowScale(scale)) => view.scale = Some(scale.min(14)),
                Ok(TcpOptionElement::SelectiveAcknowledgement(first, rest)) => {
                    view.sack.push(first);
                    view.sack.extend(rest.into_iter().flatten());
                }
                Ok(
                    TcpOptionElement::Noop | TcpOptionElement::SelectiveAcknowledgementPermitted,
                ) => {}
                Ok(TcpOptionElement::Timestamp(value, echo)) => view.stamps = Some((value, echo)),
                // The fuzzer's own segments may carry what etherparse does not know.
                Err(_) => break,
            }
        }
        Ok(view)
    }

    /// Sequence space, SYN and FIN counted (SEG.LEN).
    pub fn space(&self) -> u32 {
        let text = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        text.saturating_add(u32::from(self.syn) + u32::from(self.fin))
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, ack, syn, fin, rst, window, sack, text, mss, scale, stamps, .. } = self;
        for (set, letter) in [(syn, "S"), (fin, "F"), (rst, "R")] {
            f.write_str(if *set { letter } else { "" })?;
        }
        write!(f, " {seq}({})", text.len())?;
        if let Some(ack) = ack {
            write!(f, " ack {ack}")?;
        }
        write!(f, " win {window}")?;
        for (name, value) in [("mss", *mss), ("scale", scale.map(u16::from))] {
            if let Some(value) = value {
                write!(f, " {name} {value}")?;
            }
        }
        if let Some((value, echo)) = stamps {
            write!(f, " stamps {value} {echo}")?;
        }
        for (left, right) in sack {
            write!(f, " sack {left}:{right}")?;
        }
        Ok(())
    }
}
