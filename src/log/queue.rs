//! The bounded queue between those who log and the thread that writes.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use super::Level;
use super::target::{Entry, Target};

/// The most bytes of text and headers that wait for the log thread.
pub const QUEUE_BYTES_MAX: usize = 512 * 1024;

/// The most bytes that debug and trace lines may fill: the rest is kept for what an operator must not miss.
const CHATTER_BYTES_MAX: usize = QUEUE_BYTES_MAX / 4 * 3;

/// Lines are written together up to this size.
const WRITE_BYTES: usize = 32 * 1024;

/// Buffers larger than this are given back after a burst.
const KEEP_BYTES_MAX: usize = 64 * 1024;

/// The stack of the log thread; looking up the name of a log host takes most of it.
const STACK_BYTES: usize = 256 * 1024;

/// Lines on their way to the log thread.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Signalled when there is something to do for the log thread.
    filled: Condvar,
    /// Signalled when the log thread has written a batch.
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// Lines that found no room since the last batch was taken.
    dropped: u64,
    /// The file is to be opened again behind what waits.
    reopen: bool,
    /// What to write to behind what waits.
    target: Option<Box<dyn Target>>,
    /// Batches taken by the log thread, and batches done with: equal when it is idle.
    taken: u32,
    done: u32,
    closed: bool,
}

/// Statements in order, their texts back to back.
#[derive(Default)]
struct Batch {
    heads: Vec<Head>,
    texts: String,
}

struct Head {
    when: SystemTime,
    level: Level,
    text_bytes: u32,
}

impl Batch {
    fn bytes(&self) -> usize {
        self.heads.len() * size_of::<Head>() + self.texts.len()
    }

    fn push(&mut self, when: SystemTime, level: Level, text: &str) {
        self.heads.push(Head { when, level, text_bytes: text.len() as u32 });
        self.texts.push_str(text);
    }

    fn clear(&mut self) {
        self.heads.clear();
        self.texts.clear();
        self.heads.shrink_to(KEEP_BYTES_MAX / size_of::<Head>());
        self.texts.shrink_to(KEEP_BYTES_MAX);
    }
}

impl Queue {
    /// Starts the log thread. It ends after [`Queue::close`], when everything is written.
    pub fn start(target: Box<dyn Target>) -> io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue { state: Mutex::default(), filled: Condvar::new(), written: Condvar::new() });
        let writer = Writer { queue: queue.clone(), target, out: Vec::new(), works: true, losses: Losses::default() };
        thread::Builder::new().name("log".into()).stack_size(STACK_BYTES).spawn(move || writer.run())?;
        Ok(queue)
    }

    /// Queues one line, or counts it as dropped. The lock is held only to copy, by this side and by the log thread.
    pub fn push(&self, level: Level, text: &str) {
        let room = match level {
            Level::Debug | Level::Trace => CHATTER_BYTES_MAX,
            _ => QUEUE_BYTES_MAX,
        };
        let when = SystemTime::now();
        let mut state = self.lock();
        if state.waiting.bytes() + size_of::<Head>() + text.len() > room {
            state.dropped = state.dropped.saturating_add(1);
            return;
        }
        let was_empty = state.waiting.heads.is_empty();
        state.waiting.push(when, level, text);
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
    }

    /// Waits until everything queued before the call is written, at most `patience`.
    pub fn flush(&self, patience: Duration) -> bool {
        let state = self.lock();
        // What waits now is the next batch to be taken; with nothing waiting, the one in hand is the last.
        let target = state.taken.wrapping_add(u32::from(state.has_work()));
        let pending = |state: &mut State| (target.wrapping_sub(state.done) as i32) > 0;
        let (mut state, _) =
            self.written.wait_timeout_while(state, patience, pending).unwrap_or_else(PoisonError::into_inner);
        !pending(&mut state)
    }

    /// Asks the log thread to open its file again.
    pub fn reopen(&self) {
        self.lock().reopen = true;
        self.filled.notify_one();
    }

    /// Has the log thread write what comes now to `target`.
    pub fn switch(&self, target: Box<dyn Target>) {
        self.lock().target = Some(target);
        self.filled.notify_one();
    }

    /// Tells the log thread to end once everything is written.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_work(&self) -> bool {
        !self.waiting.heads.is_empty() || self.reopen || self.target.is_some()
    }
}

/// The log thread's side.
struct Writer {
    queue: Arc<Queue>,
    target: Box<dyn Target>,
    out: Vec<u8>,
    /// The last write lost nothing.
    works: bool,
    losses: Losses,
}

/// Lines that were logged and are in no log.
#[derive(Default)]
struct Losses {
    lines: u64,
    /// What the last write that failed met; None if they came too fast.
    fault: Option<String>,
}

/// What there is to do besides writing.
struct Errand {
    /// Lines dropped behind the batch.
    dropped: u64,
    reopen: bool,
    target: Option<Box<dyn Target>>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Batch::default();
        while let Some(errand) = self.take(&mut batch) {
            self.write(&batch);
            self.write_out();
            self.losses.lines += errand.dropped;
            if errand.reopen {
                self.reopen();
            }
            if let Some(target) = errand.target {
                self.target = target;
                self.works = true;
            }
            self.report();
            batch.clear();
            let mut state = self.queue.lock();
            state.done = state.done.wrapping_add(1);
            drop(state);
            self.queue.written.notify_all();
        }
    }

    /// Waits for lines and swaps them with the empty `batch`; gives what else is to be done, or None at the end.
    fn take(&self, batch: &mut Batch) -> Option<Errand> {
        let idle = |state: &mut State| !state.has_work() && !state.closed;
        let mut state = self.queue.filled.wait_while(self.queue.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if !state.has_work() {
            return None;
        }
        mem::swap(&mut state.waiting, batch);
        state.taken = state.taken.wrapping_add(1);
        let State { dropped, reopen, target, .. } = &mut *state;
        Some(Errand { dropped: mem::take(dropped), reopen: mem::take(reopen), target: target.take() })
    }

    fn write(&mut self, batch: &Batch) {
        let mut rest = batch.texts.as_str();
        for head in &batch.heads {
            let (text, after) = rest.split_at(head.text_bytes as usize);
            rest = after;
            self.line(Entry { when: head.when, level: head.level, text });
        }
    }

    fn line(&mut self, entry: Entry<'_>) {
        self.target.format(entry, &mut self.out);
        if self.out.len() >= WRITE_BYTES {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if !self.out.is_empty() {
            let outcome = self.target.write(&self.out);
            self.works = outcome.is_ok();
            if let Err(lost) = outcome {
                self.losses.lines += lost.lines;
                self.losses.fault = Some(lost.fault);
            }
            self.out.clear();
        }
        self.out.shrink_to(KEEP_BYTES_MAX);
    }

    fn reopen(&mut self) {
        let (level, text) = match self.target.reopen() {
            None => (Level::Info, "File log re-open ignored, not a file logger".to_owned()),
            Some(Ok(())) => (Level::Info, "File log re-opened".to_owned()),
            Some(Err(fault)) => (Level::Error, format!("File log re-open failed: {fault}")),
        };
        self.line(Entry { when: SystemTime::now(), level, text: &text });
        self.write_out();
    }

    /// Tells of lost lines, once it can be told.
    fn report(&mut self) {
        if self.losses.lines == 0 || !self.works {
            return;
        }
        let Losses { lines, fault } = &self.losses;
        let why = fault.as_deref().unwrap_or("they came faster than they could be written");
        let text = format!("{lines} log lines dropped: {why}");
        self.target.format(Entry { when: SystemTime::now(), level: Level::Warning, text: &text }, &mut self.out);
        self.works = self.target.write(&self.out).is_ok();
        self.out.clear();
        if self.works {
            self.losses = Losses::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::target::Lost;
    use super::*;
    use std::sync::mpsc;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Hands over what is written, and waits for leave to go on before each write.
    struct Gated {
        leave: mpsc::Receiver<()>,
        out: mpsc::Sender<String>,
    }

    impl Target for Gated {
        fn format(&self, entry: Entry<'_>, out: &mut Vec<u8>) {
            out.extend_from_slice(format!("[{}] {}\n", entry.level.tag(), entry.text).as_bytes());
        }

        fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
            // A closed gate lets everything through.
            let _ = self.leave.recv();
            let _ = self.out.send(String::from_utf8(lines.to_vec()).unwrap());
            Ok(())
        }
    }

    fn gated() -> (Arc<Queue>, mpsc::Sender<()>, mpsc::Receiver<String>) {
        let (gate, leave) = mpsc::channel();
        let (out, written) = mpsc::channel();
        (Queue::start(Box::new(Gated { leave, out })).unwrap(), gate, written)
    }

    fn all(written: mpsc::Receiver<String>) -> Vec<String> {
        let text: String = written.iter().collect();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_come_out_in_order_and_the_thread_ends() {
        let (queue, gate, written) = gated();
        drop(gate);
        for number in 0..5000 {
            queue.push(Level::Info, &format!("line {number}"));
            if number % 1000 == 0 {
                assert!(queue.flush(PATIENCE));
            }
        }
        queue.close();
        let expected: Vec<String> = (0..5000).map(|number| format!("[INF] line {number}")).collect();
        assert_eq!(all(written), expected);
    }

    #[test]
    fn a_stuck_target_costs_lines_and_says_how_many() {
        let (queue, gate, written) = gated();
        let text = "x".repeat(1000);
        let pushed = 3 * QUEUE_BYTES_MAX / text.len();
        for _ in 0..pushed {
            queue.push(Level::Info, &text);
        }
        assert!(!queue.flush(Duration::from_millis(1)), "nothing was written yet");
        drop(gate);
        assert!(queue.flush(PATIENCE));
        queue.push(Level::Info, "after");
        queue.close();
        let lines = all(written);
        let kept = lines.iter().filter(|line| line.ends_with(&text)).count();
        assert!(kept > 0 && kept < pushed);
        let report = |count| format!("[WRN] {count} log lines dropped: they came faster than they could be written");
        assert!(lines.contains(&report(pushed - kept)), "{kept} of {pushed} kept");
        assert_eq!(lines.last().unwrap(), "[INF] after");
    }

    #[test]
    fn chatter_leaves_room_for_what_matters() {
        let (queue, gate, written) = gated();
        queue.push(Level::Info, "first");
        for _ in 0..3 * QUEUE_BYTES_MAX / 1000 {
            queue.push(Level::Trace, &"t".repeat(1000));
        }
        queue.push(Level::Error, "seen");
        drop(gate);
        queue.close();
        assert!(all(written).contains(&"[ERR] seen".to_owned()));
    }

    #[test]
    fn flushing_an_idle_queue_returns_at_once() {
        let (queue, gate, _written) = gated();
        assert!(queue.flush(Duration::ZERO));
        queue.push(Level::Info, "x");
        assert!(!queue.flush(Duration::ZERO));
        drop(gate);
        assert!(queue.flush(PATIENCE));
        queue.close();
    }

    /// Fails for as long as it is told to.
    struct Failing {
        orders: mpsc::Receiver<bool>,
        out: mpsc::Sender<String>,
    }

    impl Target for Failing {
        fn format(&self, entry: Entry<'_>, out: &mut Vec<u8>) {
            out.extend_from_slice(format!("[{}] {}\n", entry.level.tag(), entry.text).as_bytes());
        }

        fn write(&mut self, lines: &[u8]) -> Result<(), Lost> {
            if self.orders.recv().unwrap_or(true) {
                let _ = self.out.send(String::from_utf8(lines.to_vec()).unwrap());
                return Ok(());
            }
            Err(Lost::all(lines, "no space".to_owned()))
        }

        fn reopen(&mut self) -> Option<Result<(), String>> {
            Some(Err("no".to_owned()))
        }
    }

    #[test]
    fn lines_lost_by_writing_are_told_once_when_it_works_again() {
        let (order, orders) = mpsc::channel();
        let (out, written) = mpsc::channel();
        let queue = Queue::start(Box::new(Failing { orders, out })).unwrap();
        // For a, b, c, a report, d, a report and e: a report that fails is no loss itself.
        for works in [false, false, true, false, true, true, true] {
            order.send(works).unwrap();
        }
        for text in ["a", "b", "c", "d", "e"] {
            queue.push(Level::Info, text);
            assert!(queue.flush(PATIENCE));
        }
        queue.close();
        drop(order);
        assert_eq!(all(written), ["[INF] c", "[INF] d", "[WRN] 2 log lines dropped: no space", "[INF] e"]);
    }

    #[test]
    fn a_reopen_comes_behind_what_was_logged_before() {
        let (order, orders) = mpsc::channel();
        let (out, written) = mpsc::channel();
        drop(order);
        let queue = Queue::start(Box::new(Failing { orders, out })).unwrap();
        queue.push(Level::Info, "before");
        queue.reopen();
        assert!(queue.flush(PATIENCE));
        queue.close();
        assert_eq!(all(written), ["[INF] before", "[ERR] File log re-open failed: no"]);
        let (queue, gate, written) = gated();
        drop(gate);
        queue.reopen();
        queue.close();
        assert_eq!(all(written), ["[INF] File log re-open ignored, not a file logger"]);
    }
}
