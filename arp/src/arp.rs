//! [`Arp`]: the layer. ARP's dialect of address resolution, over the family-free machine.
//!
//! Home of "Packet Generation" and "Packet Reception" of RFC 826, and of RFC 1112 6.4.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use layer::boundary::{AddressState, EthIn, EthOut, NetIn, NetOut, NextHop, ethertype};
use layer::time::earliest;
use layer::{Accounted, Counted, Instant, Layer, MacAddr, Note, Out, Reason};

use crate::acd::{Act, Claims, Conflict, Standing};
use crate::cache::{Cache, Due, Heard};
use crate::config::Config;
use crate::hold::HoldQueue;
use crate::message::{Message, Operation};
use crate::neighbour::{Advice, Neighbour, NeighbourState};
use crate::stats::Stats;

/// Address resolution on one interface.
#[derive(Debug)]
pub struct Arp {
    config: Config,
    claims: Claims,
    cache: Cache<Ipv4Addr>,
    /// Packets that wait for a neighbour's answer, by neighbour.
    waiting: HoldQueue<Ipv4Addr, NetOut>,
    /// Packets from an address of ours that is still being probed, by that address.
    unready: HoldQueue<Ipv4Addr, NetOut>,
    /// Neighbours set by hand while packets waited for them: the next poll lets those go.
    settled: Vec<Ipv4Addr>,
    stats: Stats,
}

/// A line of the neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourEntry {
    /// The neighbour.
    pub address: IpAddr,
    /// Its Ethernet address, where known.
    pub mac: Option<MacAddr>,
    /// What is known of it.
    pub state: NeighbourState,
    /// Time since its Ethernet address was learnt, where it was.
    pub age: Option<Duration>,
    /// Until when a reachable one is trusted, or a failed one refused.
    pub expires_at: Option<Instant>,
}

/// The neighbour table is full of entries that may not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the neighbour table is full")]
pub struct TableFull;

impl Arp {
    /// Starts with an empty table; addresses are probed and announced from the first poll on.
    pub fn new(config: Config) -> Self {
        Self {
            claims: Claims::new(&config),
            cache: Cache::new(config.limits, config.key),
            waiting: HoldQueue::new(&config.limits),
            unready: HoldQueue::new(&config.limits),
            settled: Vec::new(),
            stats: Stats::default(),
            config,
        }
    }

    /// The neighbour table at `now`.
    pub fn neighbours(&self, now: Instant) -> impl Iterator<Item = NeighbourEntry> + '_ {
        self.cache.iter().filter_map(move |neighbour| {
            Some(NeighbourEntry {
                address: neighbour.address.into(),
                mac: neighbour.mac(),
                state: neighbour.shown(now, &self.config.limits)?,
                age: neighbour.age(now),
                expires_at: neighbour.expires_at(),
            })
        })
    }

    /// Our addresses and what may be done with them.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, AddressState)> + '_ {
        self.claims.iter().map(|(address, state)| (address.into(), state))
    }

    /// Sets a neighbour by hand: it does not expire and what others say does not change it.
    ///
    /// # Errors
    ///
    /// [`TableFull`].
    pub fn add_static(
        &mut self,
        now: Instant,
        address: Ipv4Addr,
        mac: MacAddr,
    ) -> Result<(), TableFull> {
        if !self.cache.fix(now, address, mac) {
            return Err(TableFull);
        }
        if self.waiting.waits(address) && !self.settled.contains(&address) {
            self.settled.push(address);
        }
        Ok(())
    }

    /// Forgets a neighbour, static or not. False if there is none, or if it is just being asked
    /// for: that ends by itself within seconds, and packets wait for it.
    pub fn remove(&mut self, address: Ipv4Addr) -> bool {
        let asked_for = self.cache.get(address).is_some_and(Neighbour::is_incomplete);
        !asked_for && !self.settled.contains(&address) && self.cache.remove(address).is_some()
    }

    /// Entries of the table that polls have looked at since construction, for law L7.
    pub fn entries_examined(&self) -> u64 {
        self.cache.examined()
    }

    // ---- down: from a next hop to an Ethernet address -------------------------------------

    fn route(&mut self, now: Instant, item: NetOut, out: &mut Out<'_, Self>) {
        match item.next_hop {
            NextHop::Broadcast => transmit(item, MacAddr::BROADCAST, out),
            // RFC 1112 mapping: the group's low 23 bits after 01:00:5e, nobody is asked.
            NextHop::Group(IpAddr::V4(group)) if group.is_multicast() => {
                transmit(item, MacAddr::of_ipv4_group(group), out);
            }
            NextHop::Group(IpAddr::V6(group)) if group.is_multicast() => {
                transmit(item, MacAddr::of_ipv6_group(group), out);
            }
            NextHop::Neighbour(IpAddr::V4(neighbour)) if self.may_be_neighbour(neighbour) => {
                self.resolve(now, neighbour, item, out);
            }
            NextHop::Group(_) | NextHop::Neighbour(_) => out.drop(Reason::ArpUnresolvable, item),
        }
    }

    fn resolve(
        &mut self,
        now: Instant,
        neighbour: Ipv4Addr,
        item: NetOut,
        out: &mut Out<'_, Self>,
    ) {
        let Some(from) = self.asker(source_of(&item)) else {
            return out.drop(Reason::ArpUnresolvable, item);
        };
        let Some(advice) = self.cache.consult(now, neighbour, from, item.reachability) else {
            return out.drop(Reason::ArpTableFull, item);
        };
        match advice {
            Advice::Send(mac) => transmit(item, mac, out),
            Advice::SendAndAsk(mac) => {
                transmit(item, mac, out);
                self.ask(from, neighbour, Some(mac), out);
            }
            Advice::Wait => self.hold(neighbour, item, out),
            Advice::WaitAndAsk => {
                self.hold(neighbour, item, out);
                self.ask(from, neighbour, None, out);
            }
            Advice::Unreachable => refuse(item, out),
        }
    }

    fn hold(&mut self, neighbour: Ipv4Addr, item: NetOut, out: &mut Out<'_, Self>) {
        let bytes = item.packet.held_bytes();
        self.waiting.push(neighbour, bytes, item, |gone| out.drop(Reason::ArpQueueFull, gone));
    }

    /// RFC 826 request: our own pair of addresses goes along, so that the neighbour learns them.
    fn ask(
        &mut self,
        from: Ipv4Addr,
        target: Ipv4Addr,
        mac: Option<MacAddr>,
        out: &mut Out<'_, Self>,
    ) {
        self.stats.out_requests += 1;
        let request = Message::request(self.config.mac, from, target);
        self.say(&request, mac.unwrap_or(MacAddr::BROADCAST), out);
    }

    fn say(&self, message: &Message, destination: MacAddr, out: &mut Out<'_, Self>) {
        out.down.push(EthOut {
            interface: self.config.interface,
            destination,
            ethertype: ethertype::ARP,
            packet: message.to_packet(),
        });
    }

    /// Which address of ours asks: `wish` if it is one of them and may be used, else any other.
    fn asker(&self, wish: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let usable = |wish: &Ipv4Addr| self.claims.standing(*wish) == Some(Standing::Usable);
        wish.filter(usable).or_else(|| self.claims.first_usable())
    }

    /// Can be somebody else's address on this link.
    fn may_be_neighbour(&self, address: Ipv4Addr) -> bool {
        is_station(address)
            && match self.claims.standing(address) {
                Some(Standing::Usable | Standing::NotYet) => false,
                Some(Standing::Lost) | None => true,
            }
    }

    // ---- up: what ARP messages tell -------------------------------------------------------

    /// RFC 826 "Packet Reception", after the checks of RFC 5227.
    fn hear(&mut self, now: Instant, item: EthIn, out: &mut Out<'_, Self>) {
        // RFC 826 format: other types, lengths and operations are ignored.
        let Some(message) = Message::parse(&item.packet) else {
            return out.drop(Reason::ArpMalformed, item);
        };
        self.stats.heard(&message);
        if !self.is_possible_sender(&message) {
            return out.drop(Reason::ArpBadSender, item);
        }
        if let Some((address, conflict)) = self.claims.contested(now, &message) {
            self.stats.conflicts += 1;
            self.contest(address, message.sender_mac, conflict, out);
            return out.consume(item);
        }
        // RFC 5227 2.5: an address not proven yet is not answered for.
        let for_us = self.claims.standing(message.target_ip) == Some(Standing::Usable);
        let heard = self.merge(now, &message, for_us, out);
        // RFC 826 answer: once, to the asker, whether it is a probe (RFC 5227 2.5) or not.
        let answers = for_us && message.operation == Operation::Request;
        if answers {
            self.stats.out_replies += 1;
            self.say(&message.reply(self.config.mac), message.sender_mac, out);
        }
        match heard {
            Heard::Known { .. } => out.consume(item),
            Heard::Unknown | Heard::Full if answers => out.consume(item),
            Heard::Full => out.drop(Reason::ArpTableFull, item),
            // RFC 826 ignore: what concerns neither us nor a neighbour we know.
            Heard::Unknown => out.drop(Reason::ArpNotForUs, item),
        }
    }

    fn is_possible_sender(&self, message: &Message) -> bool {
        let Message { sender_mac, sender_ip, .. } = *message;
        let station = sender_mac.is_unicast() && sender_mac != self.config.mac;
        station && (message.is_probe() || is_station(sender_ip))
    }

    /// RFC 826 merge: updates whoever is in the table, takes in whoever speaks to us.
    fn merge(
        &mut self,
        now: Instant,
        message: &Message,
        for_us: bool,
        out: &mut Out<'_, Self>,
    ) -> Heard {
        // RFC 5227 2.5: a probe teaches nobody a mapping.
        if message.is_probe() {
            return Heard::Unknown;
        }
        let Message { sender_mac: mac, sender_ip: address, .. } = *message;
        let heard = self.cache.heard(now, address, mac, for_us);
        if heard == (Heard::Known { news: true }) {
            self.stats.learnt += 1;
            let interface = self.config.interface;
            out.note(|| Note::Neighbour { interface, address: address.into(), mac: Some(mac) });
            self.let_go(address, out);
        }
        heard
    }

    /// Sends what waits for a neighbour that is known now.
    fn let_go(&mut self, neighbour: Ipv4Addr, out: &mut Out<'_, Self>) {
        let Some(mac) = self.cache.get(neighbour).and_then(Neighbour::mac) else { return };
        for item in self.waiting.release(neighbour) {
            // Its source address may have been lost to a conflict while it waited.
            match source_of(&item).and_then(|source| self.claims.standing(source)) {
                Some(Standing::Lost) => out.drop(Reason::ArpAddressConflict, item),
                Some(Standing::Usable | Standing::NotYet) | None => transmit(item, mac, out),
            }
        }
    }

    // ---- our own addresses ----------------------------------------------------------------

    /// RFC 5227 2.4: somebody else uses `address`.
    fn contest(
        &mut self,
        address: Ipv4Addr,
        mac: MacAddr,
        conflict: Conflict,
        out: &mut Out<'_, Self>,
    ) {
        let defended = conflict == Conflict::Defend;
        let interface = self.config.interface;
        out.note(|| Note::AddressConflict { interface, address: address.into(), mac, defended });
        match conflict {
            Conflict::Bear => {}
            Conflict::Defend => {
                self.stats.defences += 1;
                self.announce(address, out);
            }
            Conflict::GiveUp => {
                self.tell(address, AddressState::Conflict, out);
                for item in self.unready.release(address) {
                    out.drop(Reason::ArpAddressConflict, item);
                }
            }
        }
    }

    fn act(&mut self, now: Instant, address: Ipv4Addr, act: Act, out: &mut Out<'_, Self>) {
        match act {
            Act::Begin { announce } => {
                self.tell(address, AddressState::Tentative, out);
                if announce {
                    self.announce(address, out);
                }
            }
            Act::Probe => {
                self.stats.out_probes += 1;
                self.say(&Message::probe(self.config.mac, address), MacAddr::BROADCAST, out);
            }
            Act::Ready => {
                self.tell(address, AddressState::Ready, out);
                let interface = self.config.interface;
                out.note(|| Note::AddressReady { interface, address: address.into() });
                for item in self.unready.release(address) {
                    self.route(now, item, out);
                }
            }
            Act::Announce => self.announce(address, out),
        }
    }

    fn announce(&mut self, address: Ipv4Addr, out: &mut Out<'_, Self>) {
        self.stats.out_announcements += 1;
        self.say(&Message::announcement(self.config.mac, address), MacAddr::BROADCAST, out);
    }

    fn tell(&self, address: Ipv4Addr, state: AddressState, out: &mut Out<'_, Self>) {
        let interface = self.config.interface;
        out.up.push(NetIn::Address { interface, address: address.into(), state });
    }

    // ---- the clock ------------------------------------------------------------------------

    /// Does one thing that is due. False if nothing is.
    fn do_due(&mut self, now: Instant, out: &mut Out<'_, Self>) -> bool {
        if let Some(neighbour) = self.settled.pop() {
            self.let_go(neighbour, out);
        } else if let Some((address, act)) = self.claims.due(now) {
            self.act(now, address, act, out);
        } else if let Some(due) = self.cache.due(now) {
            self.pursue(due, out);
        } else {
            return false;
        }
        true
    }

    fn pursue(&mut self, due: Due<Ipv4Addr>, out: &mut Out<'_, Self>) {
        let interface = self.config.interface;
        match due {
            Due::Ask { target, from, mac } => {
                // The address that asked first may have been lost to a conflict since.
                if let Some(from) = self.asker(Some(from)) {
                    self.ask(from, target, mac, out);
                }
            }
            Due::Failed(neighbour) => {
                self.stats.failed += 1;
                for item in self.waiting.release(neighbour) {
                    refuse(item, out);
                }
            }
            Due::Gone(neighbour) => {
                out.note(|| Note::Neighbour { interface, address: neighbour.into(), mac: None });
            }
        }
    }
}

impl Layer for Arp {
    type FromBelow = EthIn;
    type ToAbove = NetIn;
    type FromAbove = NetOut;
    type ToBelow = EthOut;

    fn receive(&mut self, now: Instant, item: EthIn, out: &mut Out<'_, Self>) {
        match item.ethertype {
            ethertype::IPV4 | ethertype::IPV6 => {
                let EthIn { interface, source: _, cast, ethertype, packet } = item;
                out.up.push(NetIn::Packet { interface, cast, ethertype, packet });
            }
            ethertype::ARP => self.hear(now, item, out),
            _ => out.drop(Reason::LinkUnknownType, item),
        }
    }

    fn send(&mut self, now: Instant, item: NetOut, out: &mut Out<'_, Self>) {
        let source = source_of(&item);
        match source.and_then(|source| Some((source, self.claims.standing(source)?))) {
            None | Some((_, Standing::Usable)) => self.route(now, item, out),
            // RFC 5227 2.1.1: nothing leaves from an address that is still being probed.
            Some((source, Standing::NotYet)) => {
                let bytes = item.packet.held_bytes();
                self.unready.push(source, bytes, item, |old| out.drop(Reason::ArpQueueFull, old));
            }
            Some((_, Standing::Lost)) => out.drop(Reason::ArpAddressConflict, item),
        }
    }

    fn poll(&mut self, now: Instant, out: &mut Out<'_, Self>) {
        while out.up.room() > 0 && out.down.room() > 0 && self.do_due(now, out) {}
    }

    fn poll_at(&self) -> Option<Instant> {
        if !self.settled.is_empty() {
            return Some(Instant::ZERO);
        }
        earliest(self.claims.poll_at(), self.cache.poll_at())
    }
}

impl Accounted for Arp {
    fn held_items(&self) -> usize {
        self.waiting.len() + self.unready.len()
    }

    fn held_bytes(&self) -> usize {
        self.waiting.bytes() + self.unready.bytes()
    }
}

impl Counted for Arp {
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.stats.counters(each);
        each("ArpNeighboursEvicted", self.cache.evicted());
        each("ArpEntriesExamined", self.cache.examined());
    }
}

fn transmit(item: NetOut, destination: MacAddr, out: &mut Out<'_, Arp>) {
    let NetOut { interface, next_hop: _, ethertype, reachability: _, packet } = item;
    out.down.push(EthOut { interface, destination, ethertype, packet });
}

/// Gives a packet back: its neighbour did not answer.
fn refuse(item: NetOut, out: &mut Out<'_, Arp>) {
    let NetOut { interface, next_hop, ethertype: _, reachability: _, packet } = item;
    match next_hop {
        NextHop::Neighbour(next_hop) => {
            out.up.push(NetIn::Unreachable { interface, next_hop, packet });
        }
        NextHop::Broadcast | NextHop::Group(_) => {
            debug_assert!(false, "only packets to a neighbour wait for one");
            out.drop(Reason::ArpUnresolvable, packet);
        }
    }
}

/// The IPv4 source address of a packet.
fn source_of(item: &NetOut) -> Option<Ipv4Addr> {
    if item.ethertype != ethertype::IPV4 {
        return None;
    }
    let source: [u8; 4] = item.packet.header(16)?.get(12..16)?.try_into().ok()?;
    Some(source.into())
}

/// May be the address of one station.
fn is_station(address: Ipv4Addr) -> bool {
    !address.is_unspecified()
        && !address.is_broadcast()
        && !address.is_multicast()
        && !address.is_loopback()
}

#[cfg(test)]
mod tests;
