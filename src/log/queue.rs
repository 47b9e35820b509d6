//! The bounded queue between those who log and the thread that writes.

use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use super::Level;
use super::line::Format;
use super::target::Target;

/// The most bytes of text and headers that wait for the log thread.
pub const QUEUE_BYTES_MAX: usize = 512 * 1024;

/// The most bytes that debug and trace lines may fill: the rest is kept for what an operator must not miss.
const CHATTER_BYTES_MAX: usize = QUEUE_BYTES_MAX / 4 * 3;

/// Lines are written together up to this size.
const WRITE_BYTES: usize = 32 * 1024;

/// Buffers larger than this are given back after a burst.
const KEEP_BYTES_MAX: usize = 64 * 1024;

/// The stack of the log thread; it formats a line and calls write.
const STACK_BYTES: usize = 128 * 1024;

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
    dropped: u32,
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
    pub fn start(format: Format, target: Box<dyn Target>) -> io::Result<Arc<Queue>> {
        let queue = Arc::new(Queue { state: Mutex::default(), filled: Condvar::new(), written: Condvar::new() });
        let writer = Writer { queue: queue.clone(), format, target, pid: std::process::id(), out: Vec::new() };
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
        let target = state.taken.wrapping_add(u32::from(!state.waiting.heads.is_empty()));
        let pending = |state: &mut State| (target.wrapping_sub(state.done) as i32) > 0;
        let (mut state, _) =
            self.written.wait_timeout_while(state, patience, pending).unwrap_or_else(PoisonError::into_inner);
        !pending(&mut state)
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

/// The log thread's side.
struct Writer {
    queue: Arc<Queue>,
    format: Format,
    target: Box<dyn Target>,
    pid: u32,
    out: Vec<u8>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Batch::default();
        while let Some(dropped) = self.take(&mut batch) {
            self.write(&batch);
            if dropped > 0 {
                let text = format!("{dropped} log lines dropped: they came faster than they could be written");
                self.line(SystemTime::now(), Level::Warning, &text);
            }
            self.write_out();
            batch.clear();
            let mut state = self.queue.lock();
            state.done = state.done.wrapping_add(1);
            drop(state);
            self.queue.written.notify_all();
        }
    }

    /// Waits for lines and swaps them with the empty `batch`; gives the number of lines dropped behind them, or None at
    /// the end.
    fn take(&self, batch: &mut Batch) -> Option<u32> {
        let idle = |state: &mut State| state.waiting.heads.is_empty() && !state.closed;
        let mut state = self.queue.filled.wait_while(self.queue.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.waiting.heads.is_empty() {
            return None;
        }
        mem::swap(&mut state.waiting, batch);
        state.taken = state.taken.wrapping_add(1);
        Some(mem::take(&mut state.dropped))
    }

    fn write(&mut self, batch: &Batch) {
        let mut rest = batch.texts.as_str();
        for head in &batch.heads {
            let (text, after) = rest.split_at(head.text_bytes as usize);
            rest = after;
            self.line(head.when, head.level, text);
        }
    }

    fn line(&mut self, when: SystemTime, level: Level, text: &str) {
        self.format.write(&mut self.out, self.pid, when, level, text);
        if self.out.len() >= WRITE_BYTES {
            self.write_out();
        }
    }

    fn write_out(&mut self) {
        if !self.out.is_empty() {
            // There is nowhere left to report that the log itself cannot be written.
            let _ = self.target.write(&self.out);
            self.out.clear();
        }
        self.out.shrink_to(KEEP_BYTES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const PATIENCE: Duration = Duration::from_secs(20);
    const FORMAT: Format = Format { time: false, utc: false, color: false };

    /// Hands over what is written, and waits for leave to go on before each write.
    struct Gated {
        leave: mpsc::Receiver<()>,
        out: mpsc::Sender<String>,
    }

    impl Target for Gated {
        fn write(&mut self, lines: &[u8]) -> io::Result<()> {
            // A closed gate lets everything through.
            let _ = self.leave.recv();
            let _ = self.out.send(String::from_utf8(lines.to_vec()).unwrap());
            Ok(())
        }
    }

    fn gated() -> (Arc<Queue>, mpsc::Sender<()>, mpsc::Receiver<String>) {
        let (gate, leave) = mpsc::channel();
        let (out, written) = mpsc::channel();
        (Queue::start(FORMAT, Box::new(Gated { leave, out })).unwrap(), gate, written)
    }

    fn all(written: mpsc::Receiver<String>) -> Vec<String> {
        let prefix = format!("[{}] ", std::process::id());
        let text: String = written.iter().collect();
        text.lines().map(|line| line.strip_prefix(&prefix).unwrap().to_owned()).collect()
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
}
