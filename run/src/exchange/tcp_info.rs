//! `struct tcp_info` as Linux lays it out (linux/tcp.h): what `getsockopt(TCP_INFO)` answers.
//!
//! Newer kernels append fields; a program asks for as many bytes as it knows. What this stack does
//! not have (`tcpi_fackets`, `tcpi_last_ack_sent`, a limit of the pacing rate, fast open) is what
//! Linux says where it has none.

use layer::boundary::TcpInfo;

/// The bytes, as far as Linux 6.7 knows them.
pub(super) fn bytes(info: &TcpInfo) -> Vec<u8> {
    let mut bytes = vec![
        info.state,
        info.ca_state as u8,
        info.retransmits,
        info.probes,
        info.backoff,
        info.options,
        info.snd_wscale & 0xf | info.rcv_wscale << 4,
        u8::from(info.delivery_rate_app_limited),
    ];
    short(&mut bytes, &[info.rto, info.ato, info.snd_mss, info.rcv_mss]);
    short(&mut bytes, &[info.unacked, info.sacked, info.lost, info.retrans, 0]);
    short(&mut bytes, &[info.last_data_sent, 0, info.last_data_recv, info.last_ack_recv]);
    short(&mut bytes, &[info.pmtu, info.rcv_ssthresh, info.rtt, info.rttvar]);
    short(&mut bytes, &[info.snd_ssthresh, info.snd_cwnd, info.advmss, info.reordering]);
    short(&mut bytes, &[info.rcv_rtt, info.rcv_space, info.total_retrans]);
    long(&mut bytes, &[info.pacing_rate, u64::MAX, info.bytes_acked, info.bytes_received]);
    short(&mut bytes, &[info.segs_out, info.segs_in, info.notsent_bytes, info.min_rtt]);
    short(&mut bytes, &[info.data_segs_in, info.data_segs_out]);
    long(&mut bytes, &[info.delivery_rate]);
    long(&mut bytes, &[info.busy_time, info.rwnd_limited, info.sndbuf_limited]);
    short(&mut bytes, &[info.delivered, info.delivered_ce]);
    long(&mut bytes, &[info.bytes_sent, info.bytes_retrans]);
    short(&mut bytes, &[info.dsack_dups, info.reord_seen, info.rcv_ooopack]);
    short(&mut bytes, &[info.snd_wnd, info.rcv_wnd]);
    bytes
}

fn short(bytes: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
}

fn long(bytes: &mut Vec<u8>, words: &[u64]) {
    words.iter().for_each(|word| bytes.extend(word.to_ne_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use layer::boundary::TcpState;

    /// The offsets are those of linux/tcp.h, counted by hand.
    #[test]
    fn fields_stand_where_linux_has_them() {
        let mut info = TcpInfo::in_state(TcpState::Established);
        (info.snd_wscale, info.rcv_wscale) = (7, 9);
        (info.rtt, info.snd_cwnd, info.total_retrans) = (1111, 2222, 3333);
        (info.bytes_acked, info.min_rtt, info.delivery_rate) = (4444, 5555, 6666);
        (info.bytes_retrans, info.snd_wnd, info.rcv_wnd) = (7777, 8888, 9999);
        let bytes = bytes(&info);
        let u32_at = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let u64_at = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((bytes[0], bytes[6]), (1, 0x97));
        assert_eq!((u32_at(68), u32_at(80), u32_at(100)), (1111, 2222, 3333));
        assert_eq!((u64_at(120), u32_at(148), u64_at(160)), (4444, 5555, 6666));
        assert_eq!((u64_at(208), u32_at(228), u32_at(232)), (7777, 8888, 9999));
        assert_eq!(bytes.len(), 236);
    }
}
