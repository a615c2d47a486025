//! Numbers about the process itself, under the names that every exporter uses, and which program it is.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::config::{self, VERSION};

const FILE_BYTES_MAX: u64 = 1 << 16;
/// What the kernel counts times in for programs, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The numbers as they are now, with the end mark.
pub(crate) fn text() -> String {
    let mut registry = Registry::default();
    registry.register("lazaret_build", "Which program this is", Info::new(vec![("version", VERSION)]));
    let load =
        |name: &str| config::load_text(&Path::new("/proc").join(name), FILE_BYTES_MAX).unwrap_or_default();
    let status = load("self/status");
    for (field, name, help) in [
        ("VmRSS:", "process_resident_memory", "Memory of the process that is in main memory"),
        ("VmSize:", "process_virtual_memory", "Address space of the process"),
    ] {
        let level = Gauge::<i64>::default();
        level.set(kibibytes(&status, field).saturating_mul(1024));
        registry.register_with_unit(name, help, Unit::Bytes, level);
    }
    let (used, started) = times(&load("self/stat"));
    let cpu = Counter::<f64, AtomicU64>::default();
    cpu.inc_by(used);
    registry.register_with_unit("process_cpu", "Processor time of the process", Unit::Seconds, cpu);
    if let Some(booted) =
        load("stat").lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok())
    {
        let start = Gauge::<f64, AtomicU64>::default();
        start.set(booted + started);
        registry.register_with_unit(
            "process_start_time",
            "When the process began, since 1970",
            Unit::Seconds,
            start,
        );
    }
    let files = Gauge::<i64>::default();
    files.set(fs::read_dir("/proc/self/fd").map_or(0, |entries| i64::try_from(entries.count()).unwrap_or(0)));
    registry.register("process_open_fds", "Files and sockets that the process holds open", files);
    let mut text = String::new();
    encode_registry(&mut text, &registry)
        .and_then(|()| encode_eof(&mut text))
        .expect("writing to a String cannot fail");
    text
}

pub(crate) fn kibibytes(status: &str, field: &str) -> i64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Processor time used, and the start since boot, both in seconds.
pub(crate) fn times(stat: &str) -> (f64, f64) {
    // The name of the program, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |position: usize| -> f64 {
        fields.get(position).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0) / TICKS_PER_SECOND
    };
    // Counted from the state, which is field 3: utime is 14, stime 15, starttime 22.
    (ticks(11) + ticks(12), ticks(19))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_files_a_start_and_a_version() {
        let text = text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in:\n{text}")).parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 1e6);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(value("process_open_fds") >= 3.0);
        assert!(value("process_start_time_seconds") > 1.6e9);
        assert!(value("process_cpu_seconds_total") >= 0.0);
        assert_eq!(value(&format!("lazaret_build_info{{version=\"{VERSION}\"}}")), 1.0);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "1 (a) b) S 0 1 1 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 1 0 700 1 2";
        assert_eq!(times(stat), (2.0, 7.0));
    }
}
