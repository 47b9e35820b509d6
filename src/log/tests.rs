use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_handle_may_be_shared_by_threads() {
    fn shareable<T: Clone + Send + Sync + 'static>() {}
    shareable::<Log>();
    shareable::<Captured>();
}

#[test]
fn captured_lines_carry_their_tags() {
    let (log, captured) = Log::capture();
    log.info(format_args!("a {}", 1));
    log.warn(format_args!("b"));
    log.error(format_args!("c"));
    log.fatal(format_args!("d"));
    log.debug(format_args!("e"));
    log.trace(format_args!("f"));
    log.about(Level::Debug, &"127.0.0.1:1 - cid:2", format_args!("g"));
    assert_eq!(
        captured.take(),
        ["[INF] a 1", "[WRN] b", "[ERR] c", "[FTL] d", "[DBG] e", "[TRC] f", "[DBG] 127.0.0.1:1 - cid:2 - g"]
    );
    assert!(captured.lines().is_empty());
}

#[test]
fn debug_and_trace_follow_their_switches() {
    let (log, captured) = Log::capture();
    let clone = log.clone();
    clone.set_debug(false);
    clone.set_trace(false);
    assert!(!log.debug_on() && !log.trace_on());
    log.debug(format_args!("no"));
    log.trace(format_args!("no"));
    clone.set_debug(true);
    log.debug(format_args!("yes"));
    log.trace(format_args!("no"));
    assert_eq!(captured.lines(), ["[DBG] yes"]);
}

#[test]
fn repeated_errors_are_suppressed_whoever_they_are_about() {
    let (log, captured) = Log::capture();
    for cid in 0..100 {
        let label = format!("127.0.0.1:9 - cid:{cid}");
        log.about(Level::Error, &label, format_args!("maximum connections exceeded"));
        log.about(Level::Info, &label, format_args!("told"));
    }
    let lines = captured.lines();
    assert_eq!(lines[0], "[ERR] 127.0.0.1:9 - cid:0 - maximum connections exceeded");
    assert_eq!(lines.iter().filter(|line| line.contains("exceeded")).count(), 1);
    assert_eq!(lines.iter().filter(|line| line.contains("told")).count(), 100);
}

#[test]
fn the_quiet_log_says_nothing_and_is_always_flushed() {
    let log = Log::quiet();
    assert!(!log.debug_on() && !log.trace_on());
    log.set_debug(true);
    log.error(format_args!("nowhere"));
    assert!(!log.debug_on());
    assert!(log.flush(Duration::ZERO));
}

#[test]
fn a_test_can_wait_for_a_line() {
    let (log, captured) = Log::capture();
    assert_eq!(captured.wait_for("ready", Duration::ZERO), None);
    let other = std::thread::spawn(move || log.info(format_args!("Server is ready")));
    assert_eq!(captured.wait_for("ready", PATIENCE).as_deref(), Some("[INF] Server is ready"));
    other.join().unwrap();
}
