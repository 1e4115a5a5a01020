//! Counters of the whole layer, under the names of Linux `nstat`.

macro_rules! stats {
    ($($(#[doc = $doc:literal])+ $field:ident = $name:literal,)+) => {
        /// Counters since construction.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Stats { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl Stats {
            /// Calls `each` with every name and value.
            pub fn each(&self, each: &mut dyn FnMut(&'static str, u64)) {
                $(each($name, self.$field);)+
            }
        }
    };
}

stats! {
    /// Connections opened by us.
    active_opens = "TcpActiveOpens",
    /// Connections accepted.
    passive_opens = "TcpPassiveOpens",
    /// Openings that failed.
    attempt_fails = "TcpAttemptFails",
    /// Established connections that were reset.
    estab_resets = "TcpEstabResets",
    /// Segments received, bad ones included.
    in_segs = "TcpInSegs",
    /// Segments sent, resends excluded.
    out_segs = "TcpOutSegs",
    /// Segments sent again.
    retrans_segs = "TcpRetransSegs",
    /// Segments received that were malformed.
    in_errs = "TcpInErrs",
    /// Resets sent.
    out_rsts = "TcpOutRsts",
    /// Segments received with a wrong checksum.
    in_csum_errors = "TcpInCsumErrors",
    /// Resets for connections that were being opened by a peer.
    embryonic_rsts = "TcpExtEmbryonicRsts",
    /// Connections in TIME-WAIT that a new SYN took the place of.
    tw_recycled = "TcpExtTWRecycled",
    /// Acknowledgements without text taken in.
    pure_acks = "TcpExtTCPPureAcks",
    /// Segments with new text sent.
    orig_data_sent = "TcpExtTCPOrigDataSent",
    /// Segments of ours that arrived, as far as acknowledgements tell.
    delivered = "TcpExtTCPDelivered",
    /// SYNs and SYN-ACKs sent again.
    syn_retrans = "TcpExtTCPSynRetrans",
    /// Segments sent again after a timeout.
    slow_start_retrans = "TcpExtTCPSlowStartRetrans",
    /// Duplicate SACKs received.
    dsack_recv = "TcpExtTCPDSACKRecv",
    /// Segments that those reported.
    dsack_recv_segs = "TcpExtTCPDSACKRecvSegs",
    /// Duplicate SACKs sent for what was acknowledged before.
    dsack_old_sent = "TcpExtTCPDSACKOldSent",
    /// Duplicate SACKs sent for what was early before.
    dsack_ofo_sent = "TcpExtTCPDSACKOfoSent",
    /// Early segments for which there was no place.
    ofo_drop = "TcpExtTCPOFODrop",
    /// Windows offered that were zero after one that was not.
    to_zero_window = "TcpExtTCPToZeroWindowAdv",
    /// Windows offered that were not zero after one that was.
    from_zero_window = "TcpExtTCPFromZeroWindowAdv",
    /// SYNs in a connection that were challenged (RFC 5961 4).
    syn_challenge = "TcpExtTCPSYNChallenge",
    /// Challenges not sent because one had left a moment before.
    ack_skipped_challenge = "TcpExtTCPACKSkippedChallenge",
    /// SYNs, and last ACKs of handshakes, that a listener dropped.
    listen_drops = "TcpExtListenDrops",
    /// Those of them for which the accept queue was full.
    listen_overflows = "TcpExtListenOverflows",
    /// SYNs answered by a cookie (RFC 4987 3.6).
    syncookies_sent = "TcpExtSyncookiesSent",
    /// Cookies that came back.
    syncookies_recv = "TcpExtSyncookiesRecv",
    /// Acknowledgements that should have been cookies and were none.
    syncookies_failed = "TcpExtSyncookiesFailed",
    /// SYNs that found the backlog full and got a cookie.
    req_q_full_do_cookies = "TcpExtTCPReqQFullDoCookies",
    /// SYNs that found the backlog full and got nothing.
    req_q_full_drop = "TcpExtTCPReqQFullDrop",
    /// Retransmission timeouts.
    timeouts = "TcpExtTCPTimeouts",
    /// Fast retransmissions.
    fast_retrans = "TcpExtTCPFastRetrans",
    /// Loss recoveries entered by duplicate acknowledgements.
    reno_recovery = "TcpExtTCPRenoRecovery",
    /// Loss recoveries entered with SACK.
    sack_recovery = "TcpExtTCPSackRecovery",
    /// Segments delivered by acknowledgements that echoed congestion.
    delivered_ce = "TcpExtTCPDeliveredCE",
    /// Timeouts that F-RTO found to be for nothing.
    spurious_rtos = "TcpExtTCPSpuriousRTOs",
    /// Reductions taken back because nothing was lost.
    undo = "TcpExtTCPFullUndo",
    /// Tail loss probes sent.
    loss_probes = "TcpExtTCPLossProbes",
    /// Losses that a tail loss probe repaired.
    loss_probe_recovery = "TcpExtTCPLossProbeRecovery",
    /// Segments kept out of order.
    ofo_queue = "TcpExtTCPOFOQueue",
    /// Delayed acknowledgements sent by timer.
    delayed_acks = "TcpExtDelayedACKs",
    /// Zero-window probes sent.
    win_probe = "TcpExtTCPWinProbe",
    /// Probes of a larger segment size that were lost.
    mtup_fail = "TcpExtTCPMTUPFail",
    /// Probes of a larger segment size that arrived.
    mtup_success = "TcpExtTCPMTUPSuccess",
    /// Challenge acknowledgements sent (RFC 5961).
    challenge_ack = "TcpExtTCPChallengeACK",
    /// Connections aborted because data came after close.
    abort_on_data = "TcpExtTCPAbortOnData",
    /// Connections aborted because they were closed with unread data.
    abort_on_close = "TcpExtTCPAbortOnClose",
    /// Connections aborted because nobody answered.
    abort_on_timeout = "TcpExtTCPAbortOnTimeout",
    /// Segments that found no memory at first.
    prune_called = "TcpExtPruneCalled",
    /// Segments dropped because there was no memory left for them.
    rcv_pruned = "TcpExtRcvPruned",
    /// In-order segments among them: the window was closed.
    rcvq_drop = "TcpExtTCPRcvQDrop",
    /// Times that early data was dropped to make place.
    ofo_pruned = "TcpExtOfoPruned",
    /// Receive queues copied together because they held much more than they were.
    rcv_collapsed = "TcpExtTCPRcvCollapsed",
    /// Times that memory pressure began.
    memory_pressures = "TcpExtTCPMemoryPressures",
    /// Connections that nobody owned, aborted because no memory was left.
    abort_on_memory = "TcpExtTCPAbortOnMemory",
    /// Segments that timestamps showed to be old (PAWS).
    paws_estab = "TcpExtPAWSEstab",
    /// Keep-alive probes sent.
    keep_alive = "TcpExtTCPKeepAlive",
    /// Connections that ended in TIME-WAIT.
    time_waits = "TcpExtTW",
}
