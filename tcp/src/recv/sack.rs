//! What we report of early data (RFC 2018 4), and of data that came twice (RFC 2883).

use crate::options::SackBlocks;
use crate::pack::packed;
use crate::recv::reassembly::Reassembly;
use crate::seq::Seq;

/// What was reported lately, so that the newest comes first.
#[derive(Clone, Copy, Debug, Default)]
pub struct SackReport {
    /// A number inside each of the blocks that changed last, newest first.
    recent: [Option<Seq>; SackBlocks::MOST],
    /// Data that came twice: reported once.
    duplicate: Option<(Seq, Seq)>,
}

packed!(SackReport { recent, duplicate });

impl SackReport {
    /// An early segment at `seq` was kept.
    pub fn arrived(&mut self, seq: Seq, early: &Reassembly) {
        // One memory a block, or the segments of one block would push out all others.
        if let Some((from, to)) = early.island(seq) {
            let same = |known: &Seq| from.at_or_before(*known) && known.before(to);
            for known in &mut self.recent {
                *known = known.take().filter(|known| !same(known));
            }
            let mut kept = self.recent.iter().flatten().copied().collect::<Vec<_>>().into_iter();
            self.recent = core::array::from_fn(|_| kept.next());
        }
        self.recent.rotate_right(1);
        if let Some(first) = self.recent.first_mut() {
            *first = Some(seq);
        }
    }

    /// Numbers from `from` to before `to` came twice.
    pub fn duplicate(&mut self, from: Seq, to: Seq) {
        self.duplicate = Some((from, to));
    }

    /// The blocks for an acknowledgement that leaves now, `most` of them.
    pub fn blocks(&mut self, early: &Reassembly, most: usize) -> SackBlocks {
        let mut blocks = SackBlocks::default();
        // RFC 2883 4: the first block is the duplicate one, and each is reported only once.
        if let Some(block) = self.duplicate.take() {
            blocks.push(block);
        }
        // RFC 2018 4: the block with the newest segment first, then those reported before it.
        for seq in self.recent.iter().flatten() {
            let Some(block) = early.island(*seq) else { continue };
            let reported = blocks.iter().any(|known| known == block);
            if blocks.len() < most && !reported {
                blocks.push(block);
            }
        }
        blocks
    }
}
