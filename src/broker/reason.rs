//! Why connections are closed.

use crate::cluster;

/// The reason, in the words operators know from the closed-connection list and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The peer closed its side.
    ClientClosed,
    /// Bad credentials.
    AuthenticationFailure,
    /// A TLS handshake failed, did not come, or took too long.
    TlsHandshakeFailure,
    /// It took too long to say who it is.
    AuthenticationTimeout,
    /// More than `max_pending` bytes waited.
    SlowConsumerPendingBytes,
    /// A batch was not taken within `write_deadline`.
    SlowConsumerWriteDeadline,
    /// Writing failed.
    WriteError,
    /// Reading failed, by a reset for example.
    ReadError,
    /// The peer sent `-ERR`.
    ParseError,
    /// Too many pings without an answer.
    StaleConnection,
    /// Bytes that are no operation, or bad arguments.
    ProtocolViolation,
    /// CONNECT asked for an unknown protocol.
    BadClientProtocolVersion,
    /// The account has as many clients as it may have.
    MaximumAccountConnectionsExceeded,
    /// The server is full.
    MaximumConnectionsExceeded,
    /// There was too little memory for another client.
    MemoryShort,
    /// Its address has as many clients as it may have, or they came too fast.
    MaximumAddressConnectionsExceeded,
    /// There was too little memory, and this one held most.
    MaximumMemoryExceeded,
    /// A message was too large.
    MaximumMessagePayloadExceeded,
    /// A line was too long.
    MaximumControlLineExceeded,
    /// CONNECT asked for `no_responders` without `headers`.
    NoRespondersRequiresHeaders,
    /// The server goes down.
    ServerShutdown,
    /// What a route can be closed for, beside much of that.
    Route(cluster::Reason),
}

impl Reason {
    /// The words.
    pub fn text(self) -> &'static str {
        match self {
            Self::ClientClosed => "Client Closed",
            Self::AuthenticationFailure => "Authentication Failure",
            Self::TlsHandshakeFailure => "TLS Handshake Failure",
            Self::AuthenticationTimeout => "Authentication Timeout",
            Self::SlowConsumerPendingBytes => "Slow Consumer (Pending Bytes)",
            Self::SlowConsumerWriteDeadline => "Slow Consumer (Write Deadline)",
            Self::WriteError => "Write Error",
            Self::ReadError => "Read Error",
            Self::ParseError => "Parse Error",
            Self::StaleConnection => "Stale Connection",
            Self::ProtocolViolation => "Protocol Violation",
            Self::BadClientProtocolVersion => "Bad Client Protocol Version",
            Self::MaximumAccountConnectionsExceeded => "Maximum Account Connections Exceeded",
            Self::MaximumConnectionsExceeded => "Maximum Connections Exceeded",
            Self::MemoryShort => "Memory Short",
            Self::MaximumAddressConnectionsExceeded => "Maximum Address Connections Exceeded",
            Self::MaximumMemoryExceeded => "Maximum Memory Exceeded",
            Self::MaximumMessagePayloadExceeded => "Maximum Message Payload Exceeded",
            Self::MaximumControlLineExceeded => "Maximum Control Line Exceeded",
            Self::NoRespondersRequiresHeaders => "No Responders Requires Headers",
            Self::ServerShutdown => "Server Shutdown",
            Self::Route(reason) => reason.text(),
        }
    }

    /// Whether what waits is still sent. Where the peer cannot or does not read, it is thrown away.
    pub fn flushes(self) -> bool {
        !matches!(
            self,
            Self::TlsHandshakeFailure
                | Self::SlowConsumerPendingBytes
                | Self::SlowConsumerWriteDeadline
                | Self::MaximumMemoryExceeded
                | Self::WriteError
                | Self::ReadError
        )
    }

    /// Whether to wait a moment for the peer to read before the connection goes: closing with unread input would
    /// reset it, and the peer would lose the `-ERR`.
    pub fn lingers(self) -> bool {
        self.flushes() && !matches!(self, Self::ClientClosed | Self::ServerShutdown)
    }
}
