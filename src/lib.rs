//! midge: a NATS server for small machines.
//!
//! # Threads
//!
//! ```text
//!  main ── signals, start, stop                    log ── writes lines, so that nobody else waits for a disk
//!                                                  helper ── checks passwords behind bcrypt, when there are any
//!                                                  requests ── answers what clients ask about the server, if any does
//!                                                  resolver ── asks name servers, when routes have names
//!
//!  worker 0 ─ poll ─ sockets ─ broker ─┐           each worker: its own poll, connections, block pool, timers and
//!  worker 1 ─ poll ─ sockets ─ broker ─┼─ mail     match cache; a connection lives and dies on one worker
//!  worker n ─ poll ─ sockets ─ broker ─┘
//!                         │                             monitor ── HTTP; asks the workers by mail, answers with documents
//!                    interest (one index for each account, behind a read-write lock)
//! ```
//!
//! Worker 0 also owns the listening socket and gives each connection to the worker that has fewest. Workers share
//! [`broker::Shared`]: identity, log and interest. Everything else they say to each other goes through
//! mailboxes.
//!
//! # One message's path
//!
//! 1. [`reactor`] reads up to 64 KiB into the worker's scratch buffer. Only an operation whose end has not come is kept,
//!    in a buffer that grows no faster than the peer sends; the next read goes into that buffer first.
//! 2. [`wire`] finds the operation in place. A run of plain PUBs is one loop that touches the connection once.
//! 3. The worker's [`interest::Cache`] knows who wants the subject; a publisher that repeats it costs one comparison.
//! 4. For each local subscription `MSG `, subject, sid and the tail of the publisher's own line are copied into
//!    the blocks of the receiver's chain ([`memory::Pool`]): one copy. Tails of 4 KiB and more with several receivers are
//!    shared instead.
//! 5. For another worker the message is packed into a batch, once however many subscriptions there want it; that worker
//!    looks them up in its own cache. Of a queue group the publisher's worker picks the member.
//! 6. When all connections that were ready have been read, or 8 MiB of output are queued (a search or a refusal counts as
//!    the output that takes as long), batches are posted and then each connection with output gets one vectored write.
//!
//! **The flush barrier.** A PONG promises that what came before the PING has happened. Mail is posted before any output
//! is written, and a worker takes its mail between reading from a connection and working on what it read: so whoever
//! knows of the PONG and then asks another worker finds the messages and subscriptions there.
//!
//! **Back-pressure.** A receiver that is behind but reads holds its publishers back ([`broker`], `stall`); one that is
//! frozen is left to its own limit. A full mailbox stops its senders from reading until it is emptied, which takes no
//! longer than its owner's turn, because a worker never waits for anything but its poll.
//!
//! **Routes.** Worker 0 owns the routes to the other servers of a cluster. They are connections like those of clients, with
//! another language ([`broker::routes`]); their peers' interest is in the same index as that of clients, so one search finds
//! everybody, and a message goes once to each peer that wants it. What comes on a route is for this server's clients only.
//! Before a message is put on a route, what clients began to want before is announced there, so a reply finds who asked for
//! it. A peer that is behind holds publishers back for a moment like any reader; what does not fit then is dropped and
//! counted, and the route stays.
//!
//! **Permissions.** A slot of the match cache remembers which permission set was last found to allow its subject, so an
//! allowed publish costs one comparison. Deliveries to a connection that may not get everything, or that is granted
//! replies, take the way of those that need a second look ([`broker::auth`]).
//!
//! **Accounts.** Mappings and imports are resolved when a result of the match cache is filled ([`interest::links`]): a subject
//! that is nobody else's business has a result as ever, and another one a result that says which subscriptions of which accounts
//! get the message, under which subject, and which services are asked. A request to another account gets a reply subject that
//! names the worker which knows who asked; so an answer, on whatever worker it is published, needs no table that all share.
//!
//! **Asking the server.** Subjects below `$SYS.REQ.` are marked in the same way. What takes a document is handed to a thread
//! that asks the workers like monitoring does; it begins with the first such request ([`broker::system`]).
//!
//! **TLS.** What is said above is of plain bytes; a socket of the [`reactor`] may have TLS below them. Records are opened and
//! sealed in buffers that the worker's connections share, so an idle one has none of its own. Bytes count as written when the
//! socket has taken their records: a reader's progress and limits are the same with TLS as without. Handshakes have a queue of
//! their own and a quarter of a millisecond in each turn, behind the traffic. The main thread reads certificates and keys and
//! posts what new connections begin with; a connection stays with what it began with. Routes have certificates of their
//! own, and the handshake begins at whichever end dialled.
//!
//! **The way out.** At SIGUSR2 the main thread has every worker tell its clients, and worker 0 drop the listening socket.
//! Later it asks for one connection after the other to be closed, each time another worker, which hands the request on
//! if it has none left. So the pauses hold over all workers, and still only the worker closes.
//!
//! **Reload.** At SIGHUP the main thread reads the options anew, refuses them or has them whole, and posts them to every
//! worker; it says that they are in force when each has taken them ([`server`], `reload`). A worker's options are its own
//! until then, so what it does in one turn follows one file.
//!
//! **Monitoring.** [`monitor`] asks every worker by letter. A worker answers a piece a turn, 512 connections or
//! subscriptions at most, so a report however large holds nobody up by more than a fraction of a millisecond. Messages
//! are counted by their connection alone, which is touched anyway; whoever wants sums has the worker walk over its
//! connections, so counting costs nothing that was not paid before.
//!
//! # Memory
//!
//! | what | bytes |
//! |---|---|
//! | worker | 64 KiB scratch, about 150 KiB for records while there is TLS traffic, 16 KiB of timer and change counters, and its block pool |
//! | connection | about 350, and no buffer while it is idle |
//! | connection with TLS | 4 KiB more: keys and state; at most 64 KiB of records that its socket has not taken |
//! | subscription | about 125: its record and sid 56, its place in the index 40 and the subject, two table slots |
//! | output | blocks of 8 KiB while there is any, at most `max_pending` for a connection |
//! | partial operation | at most twice what has come of it, at most its own size |
//! | match cache | up to 16,384 results and a million targets for a worker, given back when it is quiet |
//! | subscription of another server | about 85, and the subject if it is long |
//! | route | as a connection; changes that are to be announced, at most 16 MiB for each account |
//! | closed connection | about 200 and its label, at most 4 MiB in all, and only with monitoring |
//! | monitoring | 64 connections with 8 KiB of input at most, 16 MiB of answers and one answer more |
//! | mailbox | 4 MiB and one read of each other worker |
//! | connection whose client has to say who it is | about 100 more |
//! | request to another account | about 200 while it waits for its answer, at most 65,536 for a worker |
//! | granted replies | up to 65,536 for a connection, about 100 bytes each |
//!
//! All of it together has a budget, `max_memory` ([`memory::Budget`]). Each worker counts where memory is taken from the
//! allocator, never for a message, and reports its sum when it has flushed its output. Past seven eighths of the budget no
//! connection and no subscription is taken; past all of it whoever holds most is closed ([`broker`], `budget`). Between two
//! looks the workers together take a sixteenth of it at most, and what one read or one message brings.
//!
//! # Modules, top-down
//!
//! A folder uses only those below it; `tests/layers.rs` enforces that, and that the middle ones know no socket, thread or
//! clock.
//!
//! - [`server`]: starts and stops everything; signals, reload, lame duck mode, what a service manager wants, `--signal`
//! - [`monitor`]: documents over HTTP, metrics, the status page
//! - [`reactor`]: worker loop, sockets with or without TLS, timers, mailboxes, listener
//! - [`broker`]: sessions of clients and routes, what comes before a connection is secured, who clients are and what they may
//!   do, publish, delivery, limits, closing
//! - [`cluster`]: who the peers of a cluster are: handshake, duplicates, gossip, what is dialled when
//! - [`interest`]: accounts, index of subscriptions, queue groups, match cache, mappings and imports; interest of routes, and
//!   what is announced
//! - [`config`]: command line, configuration file with its blocks, and the options table
//! - [`wire`]: operations of clients and routes, INFO and CONNECT, subjects, error texts, names in certificates
//! - [`memory`]: block pool, chains, spare buffers, the byte budget
//! - [`log`]: levels, lines, the log thread; standard error, files with rotation, log daemons
//! - [`sys`]: what std and mio lack; the only `unsafe`
//!
//! # Where this differs from the design
//!
//! - Names are looked up by a thread of their own, not by the one that checks passwords: a name server that does not answer
//!   must keep no client out.
//! - All routes are on one worker, though an index entry could name any. A message from another worker costs one hop more,
//!   and what is announced needs no agreement between workers.
//! - What is needed of certificates beside what TLS checks (names, end of time) is read by a walk over DER of our own
//!   ([`wire::certificate`]): rustls does not tell them, and the crates that do bring a dozen more with them.
//! - Interest is a flat table of literal subjects beside a trie of patterns, not one trie: a probe instead of a walk, and
//!   about half the memory for the subscriptions that are nearly all.
//! - A partial operation is one contiguous buffer, not a chain of blocks: the parser works on slices, and reading the
//!   rest in place costs no copy.
//! - One small crate more: `foldhash`, a fast hash that is seeded for each run. Places are found by hash in a table of
//!   our own ([`memory::table`]), because std's map cannot hold mere indexes into a slab and costs two or three more cache
//!   misses a look, which is what finding one of 100,000 subscriptions consists of.
//! - Runs of messages to one subject with several subscribers are given to one subscriber after the other
//!   (`broker::fan_out`).

pub mod broker;
pub mod cluster;
pub mod config;
pub mod interest;
pub mod log;
pub mod memory;
#[cfg(feature = "monitoring")]
pub mod monitor;
pub mod reactor;
pub mod server;
#[allow(unsafe_code)]
pub mod sys;
pub mod wire;
