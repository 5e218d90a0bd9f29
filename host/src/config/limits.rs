//! Every limit, with its default and the reason for it.

use std::time::Duration;

/// What a component may be made of.
#[derive(Debug, Clone, Copy)]
pub struct FilterParts {
    /// Core instances.
    pub instances: u32,
    /// Linear memories.
    pub memories: u32,
    /// Tables.
    pub tables: u32,
}

/// Guest memory unless the operator grants more: room for a language runtime, far below what would hurt the host.
pub const FILTER_MEMORY: usize = 64 << 20;
/// One hook's share of a worker's time: a filter call costs microseconds, so this is only ever met by a broken one.
pub const FILTER_DEADLINE: Duration = Duration::from_millis(10);
/// `configure` may parse large documents and runs off the request path.
pub const CONFIGURE_DEADLINE: Duration = Duration::from_secs(1);
/// What `configure` and `update` may take longer for each document: meant to be far above what a filter takes.
pub const CONFIGURE_DOCUMENT: Duration = Duration::from_micros(500);
/// Bytes of documents from which on a filter that takes updates keeps a second set of instances, so that a change costs what
/// has changed. Below that there is little to configure, and the memory would not be worth it.
pub const SPARES_FROM: usize = 256 << 10;
/// How long after a change the instances of the version before are waited for, until others are made: nearly all requests
/// end within it, and what is made meanwhile would be made for nothing.
pub const SPARES_PATIENCE: Duration = Duration::from_secs(10);
/// Buffered for a filter that asks for the body (`inspect-body`), unless it is granted more.
pub const INSPECTED_BODY: u64 = 256 << 10;
/// Largest component file: stock filters are a tenth of a megabyte, language runtimes up to 18 MB are refused.
pub const COMPONENT_SIZE: u64 = 16 << 20;
/// Bytes of a component from which on it is compiled behind what is in force, rather than by the thread that reloads: smaller
/// ones take half a second at most.
pub const COMPILED_BEHIND: usize = 512 << 10;
/// Compiled code on disk, in bytes: hundreds of small filters, or a dozen with language runtimes. More are compiled again.
pub const CODE_CACHE: u64 = 512 << 20;
/// Calls of an instance before it is replaced, which bounds what a leak can cost. Instances of a large configuration (see
/// [`SPARES_FROM`]) stay: there the limit of their memory is the only bound.
pub const INSTANCE_CALLS: u32 = 100_000;
/// An instance is replaced once of the memory that it may have beyond what it began with less than this part is left: a
/// leak, or a collector of garbage that is in no hurry, then costs a new instance now and then, and no request. As for calls,
/// instances of a large configuration stay.
pub const INSTANCE_ROOM_LEFT: usize = 4;
/// Failures in a row after which a filter is not called for a while: a client that finds one bad request and sends it often
/// has to have the filter nearly to itself to get so far.
pub const QUARANTINE_FAILURES: usize = 10;
/// Within this time: what fails less often than once a second costs little.
pub const QUARANTINE_WITHIN: Duration = Duration::from_secs(10);
/// How long a filter is left out at first: long enough to save the work, short enough that a passing trouble is no outage.
pub const QUARANTINE_PAUSE: Duration = Duration::from_secs(1);
/// How long it is left out at most before it is tried again: what is mended is found to be well within a minute.
pub const QUARANTINE_LONGEST: Duration = Duration::from_mins(1);
/// How often the age of instances is looked at.
pub const RECYCLE_LOOK: Duration = Duration::from_secs(1);
/// What one call may log: enough for a long message, too little to fill a disk with.
pub const FILTER_LOG: usize = 4 << 10;
/// What is kept of a guest's standard streams: a panic's message and a few lines before it.
pub const FILTER_LAST_WORDS: usize = 2 << 10;
/// Random bytes in one call: keys and nonces are far smaller.
pub const FILTER_RANDOM: usize = 4 << 10;
/// Table elements of an instance; big language runtimes have some thousands.
pub const FILTER_TABLE: usize = 20_000;
/// Headers that a filter may declare to read: each is copied for every call, so a filter that looks at more asks for them.
pub const FILTER_READS: usize = 16;
/// Core instances, memories and tables of one component: two or three instances with one memory and one table between them
/// are what compilers make, language runtimes have up to eight instances.
pub const FILTER_PARTS: FilterParts = FilterParts { instances: 16, memories: 4, tables: 8 };
/// For all calls of a filter for one request: ten times what one may take, and it is called a dozen times at most.
pub const FILTER_REQUEST_TIME: Duration = Duration::from_millis(100);
/// What a decision may hand over, in bytes as the host holds it, and what a call of the host may: a large answer put together
/// from JSON, and an eighth of the guest's own memory. Without it a list could name the same megabyte a million times.
pub const FILTER_DECISION: usize = 8 << 20;
/// Edits of one decision: a message has a hundred headers, and each may be set on both ways.
pub const FILTER_EDITS: usize = 256;
/// Names and values of those edits, in bytes: twice the largest head that a client may send.
pub const FILTER_EDIT_BYTES: usize = 64 << 10;
/// What a piece of a header that is put together of a response counts for, in bytes, beside the name that it asks for: an address of
/// IPv6 has at most 47.
pub const FORMATTED_PART: usize = 48;
/// Headers of one answer, call or delivery of a filter's: as many as it may set by edits.
pub const FILTER_HEADERS: usize = 256;
/// As many of either as an operator may grant: several filters' together stay below the 24,576 that a message can have here,
/// and nobody takes a message with so many.
pub const FILTER_HEADERS_MAX: usize = 4096;
/// Events of one decision, a batch that came as one: as many as a channel in memory holds for a subscription.
pub const FILTER_PUBLICATIONS: usize = 1_024;
/// Calls of plans that one filter has under way at a time, of all its requests: three for each that may be served.
pub const FILTER_CALLS_IN_FLIGHT: usize = 32_768;
/// Events that one filter has on their way into channels at a time: some dozen of the largest batches.
pub const FILTER_PUBLICATIONS_IN_FLIGHT: usize = 32_768;
/// Lines that one filter logs in a second, those about its failures included: a person cannot read more.
pub const FILTER_LOG_LINES: usize = 100;
/// The same in bytes: at most 5.5 GB a day.
pub const FILTER_LOG_BYTES: usize = 64 << 10;
/// Series of metrics of one filter's own: a dozen names with some dozen values of a label. With the longest names and labels
/// they take half a mebibyte.
pub const FILTER_METRIC_SERIES: usize = 256;
/// The most series that an operator can grant: what a scrape of one filter should not exceed by far.
pub const FILTER_METRIC_SERIES_MAX: usize = 10_000;
/// Labels of one of those series.
pub const FILTER_METRIC_LABELS: usize = 8;
/// The name of a metric or of a label, in bytes.
pub const FILTER_METRIC_NAME: usize = 64;
/// The value of a label, in bytes: a host's name fits, a URL does not, which has no end of values.
pub const FILTER_METRIC_VALUE: usize = 128;
/// Buckets of a histogram.
pub const FILTER_METRIC_BUCKETS: usize = 32;
/// What one filter keeps in its store, in bytes, what an entry takes beside key and value included: some thousands of
/// counters, and 50 such filters fit into a sidecar.
pub const FILTER_STORE_BYTES: usize = 1 << 20;
/// Entries of one filter's store: those that fit into [`FILTER_STORE_BYTES`] if they are empty, so that bytes are what counts
/// unless an operator says otherwise.
pub const FILTER_STORE_KEYS: usize = 8_192;
/// A key of it, in bytes.
pub const FILTER_STORE_KEY: usize = 1 << 10;
/// What an entry takes beside its key and value, in bytes: its places in a table and in the order of expiry, and what the
/// allocator adds.
pub const FILTER_STORE_ENTRY: usize = 128;
/// Expired entries that one write, or one look at all stores, takes out at most beyond those that it needs the room of.
pub const FILTER_STORE_SWEEP: usize = 64;
/// The guest's stack: wasmtime's own default, a tenth of a worker thread's.
pub const FILTER_STACK: usize = 512 << 10;
/// How often running guests are asked whether their time is up. Finer ticks cost wake-ups when nothing runs.
pub const FILTER_TICK: Duration = Duration::from_millis(5);
/// Instances that can live at once: workers times filters, twice while one version follows another, with room to spare. A
/// version gives its own back soon after it is replaced, however long requests hold it.
pub const FILTER_INSTANCES: u32 = 1_000;
/// Guest memory of all instances of all filters, unless the operator says otherwise: 4 MiB for each of [`FILTER_INSTANCES`], where
/// one of a small Rust filter has little more than 1, or 64 of them with all of [`FILTER_MEMORY`]. It is memory as instances see
/// it; the system gives it page by page, and most of it is never touched. So it is no limit of a sidecar's: that is for whoever
/// knows the filters.
pub const FILTERS_MEMORY: usize = 4 << 30;
/// The most guest memory that an operator can grant: what the pool reserves address space for.
pub const FILTER_MEMORY_MAX: usize = 256 << 20;

// The way to upstreams. An upstream is the operator's own, but it may hang, crash or be taken over.

/// For a connection to an upstream: on one network it takes milliseconds, and one lost packet costs a second.
pub const UPSTREAM_CONNECT: Duration = Duration::from_secs(2);
/// Between two attempts to reach an endpoint that has several addresses (RFC 8305, section 5).
pub const CONNECT_ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses of one endpoint: those that are tried within [`UPSTREAM_CONNECT`].
pub const CONNECT_ADDRESSES: usize = 8;
/// How long the address that was reached is tried first, before the preferred family gets its turn again (RFC 6555,
/// section 4.2).
pub const CONNECT_MEMORY: Duration = Duration::from_mins(10);
/// For one try's response head, from the last byte of the request, when the route sets no timeout: what a person waits
/// for. What takes longer by nature, such as a long poll, has a route with a timeout.
pub const UPSTREAM_FIRST_BYTE: Duration = Duration::from_secs(15);
/// For a response's head, all tries included, when the route sets no timeout, so that nothing waits for ever.
pub const UPSTREAM_TOTAL: Duration = Duration::from_mins(1);
/// For the next byte of a response body.
pub const UPSTREAM_BODY_IDLE: Duration = Duration::from_mins(1);
/// An upstream that takes no byte of what it is sent for this long, while there is more to send, has stopped: as long as it may
/// take for the next byte of its response.
pub const UPSTREAM_WRITE_STALLED: Duration = UPSTREAM_BODY_IDLE;
/// How long an idle connection is kept: shorter than what servers commonly allow, so that we close first.
pub const UPSTREAM_IDLE: Duration = Duration::from_secs(30);
/// How often idle connections are looked through; a connection may outstay [`UPSTREAM_IDLE`] by as much, unused.
pub const UPSTREAM_SWEEP: Duration = Duration::from_secs(5);
/// After this long without use a connection may be about to be closed by its upstream, whose shortest usual limit it is;
/// an idempotent request is then kept until it is answered. Busy connections save the copy.
pub const UPSTREAM_FRESH: Duration = Duration::from_secs(1);
/// Idle connections that a worker keeps to one endpoint: as many as its busiest moment is likely to have used.
pub const UPSTREAM_IDLE_CONNECTIONS: usize = 256;
/// What is read at once from an upstream, in bytes: the largest response head, and what a slow client can pin.
pub const UPSTREAM_BUFFER: usize = 64 << 10;
/// Requests at a time on one HTTP/2 connection to an upstream, unless a policy says otherwise: what servers commonly allow,
/// and RFC 9113, section 6.5.2, recommends as the least. More go on another connection.
pub const UPSTREAM_H2_STREAMS: u32 = 100;
/// HTTP/2 connections of one worker to one endpoint: beyond, streams wait for their turn on those.
pub const UPSTREAM_H2_CONNECTIONS: usize = 8;
/// HTTP/2 flow control window of a stream from an upstream, in bytes: what one slow client can pin.
pub const UPSTREAM_H2_STREAM_WINDOW: u32 = 256 << 10;
/// HTTP/2 flow control window of a connection from an upstream, in bytes: that of all its streams. What its client has not
/// taken of a response is held against both, so a smaller one would be used up by a few slow clients, and the responses of
/// all others would stop. How much memory they can pin is the matter of the window above, as the requests are counted.
pub const UPSTREAM_H2_CONNECTION_WINDOW: u32 = UPSTREAM_H2_STREAMS * UPSTREAM_H2_STREAM_WINDOW;
/// HTTP/2 header list of a response, in bytes; the same as [`UPSTREAM_BUFFER`].
pub const UPSTREAM_H2_HEADER_LIST_SIZE: u32 = 64 << 10;
/// Streams that were given up and whose late frames are still expected: as many as a client may cancel at once.
pub const UPSTREAM_H2_RESET_STREAMS: usize = 1_000;
/// For the next byte of a response body on HTTP/2, where pings tell a live connection from a dead one: streams of events
/// may be silent for minutes.
pub const UPSTREAM_H2_BODY_IDLE: Duration = Duration::from_mins(5);
/// How often at most an HTTP/2 connection is looked at for whether it is used.
pub const UPSTREAM_H2_LOOK: Duration = Duration::from_millis(100);
/// How long a new HTTP/2 connection is waited for to say that WebSocket may be spoken on it: its settings come first of all.
pub const UPSTREAM_H2_SETTINGS: Duration = Duration::from_secs(1);
/// How often that is looked at.
pub const UPSTREAM_H2_SETTINGS_LOOK: Duration = Duration::from_millis(5);
/// How often a request is sent that its endpoint says it has not looked at, before it counts as failed.
pub const UPSTREAM_H2_SENDINGS: u32 = 3;
/// Retries of one request, whatever a route asks for: each multiplies the load on a service in trouble.
pub const RETRIES: u32 = 10;
/// Clusters whose turn a worker remembers, so that reloads do not add up; forgetting only starts the round anew.
pub const ROUNDS: usize = 1024;
/// Endpoints that are asked for their health at the same time: a service of thousands is asked in a few rounds.
pub const HEALTH_PROBES: usize = 64;
/// How soon a change of what is to be asked is noticed, when nothing else wakes the task.
pub const HEALTH_LOOK: Duration = Duration::from_millis(250);
/// What a filter may make a request wait, such as for an injected fault: longer than any client does, and an end.
pub const DELAY: Duration = Duration::from_mins(5);
/// Pieces that an answer is put together of: a page has some hundreds, and each costs the host something.
pub const ANSWER_PARTS: usize = 8192;
/// Copies of one request: a new version of a service or two, and a recorder.
pub const MIRRORS: usize = 8;
/// Copies on their way at a time: a service that is slower than the traffic it is shown gets no more of it.
pub const MIRRORS_IN_FLIGHT: i64 = 1_000;
/// How far a copy's service may be behind the request's own, in bytes; a body up to this size is always copied whole.
pub const MIRROR_BUFFER: usize = 256 << 10;
/// The same in frames, as small ones cost more than their bytes.
pub const MIRROR_FRAMES: usize = 256;
/// For the response to a copy, its body included, from the last byte of the request.
pub const MIRROR_DEADLINE: Duration = Duration::from_secs(15);
/// Read of the response to a copy, in bytes, so that its connection can be used again; more closes it.
pub const MIRROR_RESPONSE: u64 = 256 << 10;
/// For a call of a plan that sets no deadline.
pub const CALL_DEADLINE: Duration = Duration::from_secs(10);
/// The largest answer to a call of a plan that sets no limit, in bytes: it is held in memory twice.
pub const CALL_BODY: u64 = 1 << 20;
/// The largest answer that a call may ask for, in bytes: an eighth of what a filter has memory for.
pub const CALL_BODY_MAX: u64 = 8 << 20;
/// Calls of one plan: a page is made of a few; beyond this one request is an attack on the services.
pub const PLAN_CALLS: usize = 64;
/// Plans that one request may run one after the other.
pub const PLAN_STAGES: usize = 8;
/// Calls of all plans of one request.
pub const COMPOSED_CALLS: usize = 256;
/// For all plans of one request together, from the first one's beginning, whatever the plans say: as long as a request
/// may be made to wait.
pub const COMPOSING: Duration = Duration::from_mins(5);
/// What the calls of one plan may read in all, in bytes: half of the memory of the filter that gets it.
pub const PLAN_BODIES: u64 = 32 << 20;
/// The largest body to take in of a response whose status its call does not accept, in bytes: an explanation.
pub const REFUSED_BODY: u64 = 64 << 10;
/// How far a body is read ahead that stays with the host for an answer, in bytes; up to this size one is short, and read
/// whole before its call has an outcome.
pub const SPLICE_AHEAD: usize = 64 << 10;
/// The largest answer that is copied into one piece rather than sent in those that it is put together of, in bytes.
pub const COPIED_ANSWER: usize = 16 << 10;
/// The largest response that is kept, in bytes, and about as much as its head takes: beyond, one response would take the
/// place of hundreds.
pub const CACHED_RESPONSE: usize = 1 << 20;
/// Responses to one path that differ by what they vary by, such as languages.
pub const CACHED_VARIANTS: usize = 8;
/// What the kept responses of the process take, in bytes, unless the operator says otherwise: thousands of parts of pages.
pub const RESPONSE_CACHE: u64 = 32 << 20;
/// Names by which the calls of one filter are counted: what a filter's code has, not what data makes up.
pub const CALL_NAMES: usize = 64;
/// Both sides silent on an upgraded connection; WebSocket peers ping more often.
pub const UPGRADED_IDLE: Duration = Duration::from_mins(5);
/// For both connections to be handed over after a 101 was sent.
pub const UPGRADE_HANDOVER: Duration = Duration::from_secs(10);
/// One read of an upgraded connection, in bytes; two are held for each.
pub const SPLICE_BUFFER: usize = 16 << 10;
/// The longest wait for an answer that an event brings; what a reload drains for, and no client waits longer.
pub const REPLY_WAIT: Duration = Duration::from_mins(5);
/// The longest that such an answer is kept for those who ask later.
pub const REPLY_KEPT: Duration = Duration::from_hours(1);
/// Answers that are waited for or kept at once; more requests that would wait are answered 503.
pub const REPLIES: usize = 20_000;
/// Those of one filter: as many requests as may be in flight, and others have as many left.
pub const FILTER_REPLIES: usize = REPLIES / 2;
/// Between two looks through all exchanges for want of room: others wait meanwhile.
pub const REPLIES_SWEEP: Duration = Duration::from_millis(100);
/// What all kept answers and the keys of all exchanges may take, in bytes; another answer is dropped, and its request gets none.
pub const REPLY_BYTES: usize = 64 << 20;
/// The key of an exchange, in bytes: names of a kind and a document, an event's id and a request's. It may be kept for
/// [`REPLY_KEPT`], and as many of them as one filter may have take less than a sixth of [`REPLY_BYTES`].
pub const REPLY_KEY: usize = 1 << 10;
/// Clients that listen to one channel at a time: each holds a connection and a batch of events at most.
pub const LISTENERS: usize = 1_000;
/// Attributes that events have to have for one of them: an event has a dozen. Each event is held to all of them.
pub const LISTENER_ATTRIBUTES: usize = 32;
/// Their names and values, in bytes, which are held for as long as the client listens.
pub const LISTENER_ATTRIBUTE_BYTES: usize = 4 << 10;
/// Between two signs of life to a client that listens, well within what intermediaries wait for.
pub const LISTENER_HEARTBEAT: Duration = Duration::from_secs(15);
/// Dead letters of a channel that are kept: more than anybody looks at one by one. Beyond, the oldest are dropped.
pub const DEAD_LETTERS: usize = 1_000;
/// What the dead letters of a channel may take in memory, in bytes. Beyond, the oldest are dropped.
pub const DEAD_LETTER_BYTES: usize = 16 << 20;
/// Requests being served at once unless an Overload document says otherwise; more are answered 503.
pub const IN_FLIGHT: usize = 10_000;
/// How often the memory of the process is looked at: it grows by some 100 MB in that time at the very most.
pub const MEMORY_LOOK: Duration = Duration::from_millis(100);
/// Clients of which something is remembered, where they have limits: several times the connections that there may be.
pub const CLIENTS: usize = 65_536;
/// Concurrency that an adaptive limit never falls below: so little that no queue is of the proxy's making.
pub const ADAPTIVE_LEAST: u32 = 3;
/// The adaptive limit of a service that nothing is known of, and the most that it grows to unless the document says otherwise.
pub const ADAPTIVE_FIRST: u32 = 100;
/// See [`ADAPTIVE_FIRST`].
pub const ADAPTIVE_MOST: u32 = 1_000;
/// How long latencies are gathered before an adaptive limit is set anew: a few round trips of most services.
pub const ADAPTIVE_WINDOW: Duration = Duration::from_millis(100);
/// How many there have to be, so that their mean says something; until then the window stays open.
pub const ADAPTIVE_SAMPLES: u64 = 20;

// Names of upstreams.

/// For the first answer to a name, at start or when a change brings one: well above a working resolver's.
pub const DNS_FIRST_ANSWER: Duration = Duration::from_secs(1);
/// For the first answers to all names of a load, so that a dead resolver cannot hold it up for long.
pub const DNS_FIRST_ANSWERS: Duration = Duration::from_secs(3);
/// For one try of one name server.
pub const DNS_TRY: Duration = Duration::from_secs(2);
/// For an answer, all tries and servers included.
pub const DNS_ANSWER: Duration = Duration::from_secs(10);
/// The least that an answer is used for: a time to live of zero would ask without a pause.
pub const DNS_SHORTEST: Duration = Duration::from_secs(1);
/// The most that an answer is used for, so that a service that moves is found within minutes.
pub const DNS_LONGEST: Duration = Duration::from_mins(5);
/// Between a failed look-up and the next.
pub const DNS_AGAIN: Duration = Duration::from_secs(5);
/// Names that are asked for at the same time.
pub const DNS_LOOK_UPS: usize = 32;
/// New names of one load.
pub const DNS_NAMES: usize = 4_096;

// Connections from clients. Values a client could wait for or send without end in plain HTTP; each bounds one of them.

/// Header lines of a request: browsers send under 30, and the parser below has room for exactly these.
pub const HEADER_COUNT: usize = 100;
/// Request line and header lines together, in bytes: four large cookies fit, a flood of heads does not.
pub const HEAD_SIZE: usize = 32 << 10;
/// One line of a head, in bytes: twice what RFC 9112, section 3, asks a server to take.
pub const LINE_SIZE: usize = 16 << 10;
/// The longest method, in bytes: the longest registered one has 17 (RFC 9112, section 3: answer 501 beyond).
pub const METHOD_SIZE: usize = 32;
/// Chunk extensions of one body, in bytes: nobody uses them but to smuggle, so what counts is that they end.
pub const CHUNK_EXTENSIONS_SIZE: usize = 4 << 10;
/// Trailer section of one body, in bytes: a checksum or a status.
pub const TRAILERS_SIZE: usize = 8 << 10;
/// What is read at once from an HTTP/1 connection, in bytes: the largest head fits, and one connection cannot
/// hold more than this much memory for reading.
pub const READ_BUFFER: usize = 64 << 10;
/// From the first byte of a head to its last, and from the opening of a connection to its first byte.
pub const HEAD_READ: Duration = Duration::from_secs(10);
/// A TLS handshake, from the opening of a connection: three round trips over the slowest link take a tenth of it.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// Silence within the messages of a gRPC call, either way: subscriptions wait for something to happen, and pings tell
/// whether anybody is there.
pub const GRPC_IDLE: Duration = Duration::from_mins(5);
/// All messages of a gRPC call: streams that run for longer are begun anew by every client that is made for them.
pub const GRPC_TOTAL: Duration = Duration::from_hours(24);
/// Silence within a request body.
pub const BODY_IDLE: Duration = Duration::from_secs(15);
/// A whole request body: 5 minutes are 64 MiB at 220 kB/s.
pub const BODY_TOTAL: Duration = Duration::from_mins(5);
/// A client that takes no byte of its response for this long, a closed window included, is gone.
pub const WRITE_STALLED: Duration = Duration::from_secs(30);
/// Between two requests of a connection: shorter than the minutes for which clients keep one.
pub const KEEP_ALIVE_IDLE: Duration = Duration::from_mins(1);
/// After this long without a request a connection gives back what it holds but for its socket.
pub const REST: Duration = Duration::from_secs(2);
/// How long to read on after a refusal, so that a reset does not overtake the answer (RFC 9112, section 9.6).
pub const LINGER: Duration = Duration::from_secs(1);
/// How much to read on after a refusal, in bytes; a client that sends more does not listen.
pub const LINGER_SIZE: usize = 1 << 20;

/// Connections in total: busy ones take some 40 kB each, far below what a small machine has; idle ones a few.
pub const CONNECTIONS: usize = 10_000;
/// Connections of one client address, so that one client cannot take them all.
pub const CONNECTIONS_PER_ADDRESS: usize = 256;
/// Connections that the kernel completes ahead of `accept`.
pub const LISTEN_BACKLOG: i32 = 1024;
/// Connections that may wait for a place although their listener is closed: one for each so many that there may be, as each
/// holds a descriptor beyond those.
pub const TURNS_SHARE: usize = 4;
/// And no fewer than these.
pub const TURNS: usize = 256;
/// Pause after an `accept` that failed for want of descriptors or memory, which only time can cure.
pub const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// For what is in flight when the proxy is asked to end.
pub const DRAIN: Duration = Duration::from_secs(30);
/// How long an operator who asks for a reload waits for what comes of it: some filters compile for seconds each.
pub const RELOAD_ANSWER: Duration = Duration::from_mins(1);
/// For each answer of a process that hands over, or takes over.
pub const TAKE_OVER_ANSWER: Duration = Duration::from_secs(10);
/// For a process that takes over to load its configuration: it may have to compile many filters.
pub const TAKE_OVER_PREPARE: Duration = Duration::from_mins(15);
/// For the process that is there to let go of the files of events.
pub const TAKE_OVER_RELEASE: Duration = Duration::from_secs(30);
/// For deliveries of their events that are under way; what is not done by then is delivered by the next process.
pub const RELEASE_DELIVERIES: Duration = Duration::from_secs(5);
/// For a process that wanted to take over and failed to be gone.
pub const TAKE_OVER_RESUME: Duration = Duration::from_secs(10);
/// For a process that takes over to begin to serve, once it has all it needs.
pub const TAKE_OVER_READY: Duration = Duration::from_secs(30);
/// For a connection's next request once the proxy ends. Clients that use a connection at all often use it within this time;
/// without it they would find it closed with a request on its way.
pub const LAST_REQUEST: Duration = Duration::from_secs(1);
/// Of the time to end, the part that this may be at most: one in so many.
pub const LAST_REQUEST_SHARE: u32 = 4;
/// For events in memory, where requests have taken all of the time to end.
pub const LAST_EVENTS: Duration = Duration::from_secs(1);
/// For the last spans to reach the collector when the proxy ends, once requests and events are done.
pub const TRACES_CLOSE: Duration = Duration::from_secs(5);
/// The same when somebody wants it to end at once.
pub const TRACES_CLOSE_AT_ONCE: Duration = Duration::from_secs(1);
/// HTTP/2 streams of one connection at a time, what RFC 9113, section 6.5.2, recommends as the least.
pub const H2_STREAMS: u32 = 100;
/// HTTP/2 flow control window of a stream, in bytes: the memory one slow upstream can pin.
pub const H2_STREAM_WINDOW: u32 = 64 << 10;
/// HTTP/2 flow control window of a connection, in bytes: that of all its streams, so that uploads that their upstreams do not
/// take stop no other. What they pin is bounded by the requests that are served at once ([`IN_FLIGHT`]), as it is in HTTP/1.
pub const H2_CONNECTION_WINDOW: u32 = H2_STREAMS * H2_STREAM_WINDOW;
/// The largest window that there can be, in bytes (RFC 9113, section 6.9.1).
pub const H2_LARGEST_WINDOW: u32 = (1 << 31) - 1;
/// HTTP/2 header list, in bytes; the same as [`HEAD_SIZE`].
pub const H2_HEADER_LIST_SIZE: u32 = 32 << 10;
/// HTTP/2 streams that a client reset before they were taken up: rapid reset (CVE-2023-44487).
pub const H2_PENDING_RESETS: usize = 20;
/// HTTP/2 streams that a client resets, all at once: several times those that it may have open. A page that is left cancels
/// all of them; a client that does nothing else has the proxy work for answers that nobody gets (CVE-2023-44487).
pub const H2_RESETS: u32 = 5 * H2_STREAMS;
/// The same in each second that follows: a client of gRPC resets what has been answered before it ended its request, and one whose
/// calls all run into their deadlines cancels them. What a request costs is bounded by the rate, as is that of one that is not reset.
pub const H2_RESETS_PER_SECOND: u32 = 200;
/// Header blocks that earn another reset: a front of many clients cancels for each of them, yet far less than one request in
/// four. A request with trailers has two blocks, which must not pay for its reset.
pub const H2_HEADERS_PER_RESET: u32 = 4;
/// HTTP/2 streams that the proxy had to reset: a client that makes it do so (CVE-2025-8671).
pub const H2_LOCAL_RESETS: usize = 128;
/// HTTP/2 PING of a client in a second: a client that measures its link sends a few.
pub const H2_PINGS: u32 = 100;
/// HTTP/2 SETTINGS of a client in a second: it sends one, and another when its windows change.
pub const H2_SETTINGS: u32 = 50;
/// HTTP/2 PRIORITY frames, and frames of unknown kinds, in a second, beside those that streams earn: browsers send a tree of
/// a dozen at the start.
pub const H2_PRIORITIES: u32 = 100;
/// HTTP/2 WINDOW_UPDATE in a second, beside those that streams and responses earn: windows are opened at the start.
pub const H2_WINDOW_UPDATES: u32 = 1_000;
/// What each header block earns of the frames above: a stream may be given a priority and a window, each more than once.
pub const H2_FRAMES_PER_STREAM: u32 = 4;
/// Bytes of responses that earn a WINDOW_UPDATE: a sixteenth of a frame, for a client that acknowledges every piece of it, for
/// the stream and for the connection.
pub const H2_BYTES_PER_WINDOW_UPDATE: u64 = 1 << 10;
/// HTTP/2 DATA in a second that carries nothing and ends nothing: nobody needs to send it.
pub const H2_EMPTY_DATA: u32 = 100;
/// CONTINUATION frames of one header block: [`H2_HEADER_LIST_SIZE`] takes two.
pub const H2_CONTINUATIONS: u32 = 20;
/// HTTP/2 PING on a silent connection.
pub const H2_PING_INTERVAL: Duration = Duration::from_secs(30);
/// For the answer to it.
pub const H2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The most wall time of a call whose thread is kept from running: a request cannot wait for ever on a busy machine.
pub const FILTER_WALL_TIME: Duration = Duration::from_secs(1);
