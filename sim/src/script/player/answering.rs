//! `answer RTT for S`: a peer that acknowledges by itself, for what no script could write out line
//! by line. Meanwhile the application writes whatever there is room for.
//!
//! The peer acknowledges each segment one round trip after it left, and reports what came after a
//! hole (RFC 2018), the newest block first. It has no timestamps.

use std::collections::BTreeMap;

use super::super::segment::ACK;
use super::*;

/// Blocks of an acknowledgement.
const BLOCKS: usize = 3;

/// Bytes that the application writes at a time.
const CHUNK: usize = 64 * 1024;

/// What the peer has of the host's text, and what it has yet to say.
#[derive(Debug, Default)]
pub(super) struct Answering {
    /// The next octet that is due; none before the first call.
    next: Option<u32>,
    /// What came after a hole: first number, one past the last.
    early: BTreeMap<u32, u32>,
    /// When the segments under way arrive and are answered, and their numbers.
    under_way: VecDeque<(Instant, u32, u32)>,
}

impl Answering {
    /// Takes in octets; answers the acknowledgement number and blocks.
    fn arrives(&mut self, start: u32, end: u32) -> (u32, Vec<(u32, u32)>) {
        let mut next = self.next.unwrap_or(1);
        if end > next {
            self.early.insert(start.max(next), end);
        }
        while let Some(end) = self.early.remove(&next) {
            next = end;
        }
        self.next = Some(next);
        let mut blocks: Vec<(u32, u32)> = Vec::new();
        for (&from, &to) in &self.early {
            match blocks.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => blocks.push((from, to)),
            }
        }
        if let Some(newest) = blocks.iter().position(|block| (block.0..block.1).contains(&start)) {
            blocks.swap(0, newest);
        }
        blocks.truncate(BLOCKS);
        (next, blocks)
    }
}

impl Player<'_> {
    /// The peer answers after `rtt` what is sent in the next `span`, but for the first `losses`
    /// segments, which it never gets.
    pub(super) fn answer(
        &mut self,
        rtt: Duration,
        span: Duration,
        mut losses: u32,
    ) -> Result<(), String> {
        let end = self.now + span;
        loop {
            self.write_all()?;
            for Sent { at, segment, .. } in core::mem::take(&mut self.sent) {
                let (start, length) = (segment.seq.number(), segment.length.number());
                if length > 0 && losses > 0 {
                    losses -= 1;
                } else if length > 0 {
                    self.answering.under_way.push_back((at + rtt, start, start + length));
                }
            }
            // A shorter round trip than before does not overtake what is under way.
            let arrival = self.answering.under_way.front().map(|first| first.0.max(self.now));
            let next = [arrival, self.host.poll_at()].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at < end) else { break };
            self.advance(next);
            if arrival.is_some_and(|at| at <= self.now)
                && let Some((_, start, end)) = self.answering.under_way.pop_front()
            {
                self.acknowledge(start, end);
            }
        }
        self.advance(end);
        Ok(())
    }

    fn acknowledge(&mut self, start: u32, end: u32) {
        let (ack, blocks) = self.answering.arrives(start, end);
        let options = if blocks.is_empty() { vec![] } else { vec![TcpOption::Sack(blocks)] };
        let segment = SegmentText {
            flags: ACK,
            seq: Field::Is(1),
            length: Field::Is(0),
            ack: Some(Field::Is(ack)),
            window: None,
            urgent: 0,
            ecn: None,
            options: Some(options),
        };
        self.inject(&segment);
        self.collect();
    }

    fn write_all(&mut self) -> Result<(), String> {
        let socket = self.current()?;
        loop {
            let data = WRITTEN.bytes(self.written, CHUNK);
            match self.host.send(self.now, socket, &data) {
                Ok(taken) => self.written += taken as u64,
                Err(Errno::AGAIN) => break,
                Err(errno) => return Err(format!("{errno:?}")),
            }
        }
        self.collect();
        Ok(())
    }
}
