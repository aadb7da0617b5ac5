use super::*;
use crate::{gpu::device::proof_cache::ProofCache, ops::contract::Noise};
use std::thread;

/// A path in a folder of its own, which is empty.
fn place(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("wgrad-log-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a temporary folder");
    folder.join("proofs.txt")
}

fn clean_up(path: &std::path::Path) {
    let folder = path.parent().expect("it is in a folder");
    fs::remove_dir_all(folder).expect("the folder is ours");
}

/// Keys that differ in one digit, so that a flipped one is likely to be another key.
fn entry(number: u128) -> Entry {
    match number % 3 {
        0 => Entry::Failed(format!("{number} instead of 2")),
        _ => Entry::Proved,
    }
}

fn known(count: u128) -> HashMap<Key, Entry> {
    (0..count).map(|number| (number, entry(number))).collect()
}

fn append(log: &ProofLog, number: u128) {
    log.append(number, &entry(number), &format!("matmul {number}")).expect("it can be written");
}

/// Whatever happens to a file, its intact lines are believed, nothing else is, and opening it again
/// and again does not make it grow.
#[test]
fn damage_costs_the_damaged_lines_only() {
    let path = place("damage");
    let log = ProofLog::open(path.clone()).0;
    (0..64).for_each(|number| append(&log, number));
    let whole = fs::read(&path).expect("it was written");
    assert_eq!(ProofLog::open(path.clone()).1, known(64));
    assert_eq!(fs::read(&path).expect("it is there"), whole, "nothing to rewrite");
    let lines: Vec<&[u8]> = whole.split(|&byte| byte == b'\n').filter(|l| !l.is_empty()).collect();
    let mut noise = Noise::new(5);
    for round in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 5 {
            let at = (noise.unit() * bytes.len() as f64) as usize;
            match (noise.unit() * 6.0) as usize {
                0 => bytes[at] ^= 1 << (noise.unit() * 8.0) as usize,
                1 => bytes[at] = b"0123456789abcdef"[(noise.unit() * 16.0) as usize],
                2 => bytes.truncate(at.max(1)),
                3 => _ = bytes.splice(at..at, [0xff, 0xfe, 0, 0]),
                4 => _ = bytes.splice(at..at, vec![b'x'; 100_000]),
                _ => _ = bytes.remove(at),
            }
        }
        fs::write(&path, &bytes).expect("it can be written");
        let intact: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
        let expected: HashMap<Key, Entry> = (0..64)
            .filter(|&number| intact.contains(&lines[number as usize]))
            .map(|number| (number, entry(number)))
            .collect();
        assert_eq!(ProofLog::open(path.clone()).1, expected, "round {round}");
        let rewritten = fs::read(&path).expect("it is there");
        assert!(rewritten.len() <= whole.len(), "round {round}");
        let (log, again) = ProofLog::open(path.clone());
        assert_eq!(again, expected);
        assert_eq!(fs::read(&path).expect("it is there"), rewritten, "it does not grow");
        append(&log, 64);
        let (_, again) = ProofLog::open(path.clone());
        assert_eq!((again.len(), &again[&64]), (expected.len() + 1, &Entry::Proved));
    }
    clean_up(&path);
}

/// A process that is killed while it writes spoils its own line only.
#[test]
fn what_follows_a_torn_line_starts_a_new_one() {
    let path = place("torn");
    let log = ProofLog::open(path.clone()).0;
    append(&log, 1);
    let one = fs::read(&path).expect("it was written").len();
    append(&log, 2);
    let both = fs::read(&path).expect("it was written");
    for end in one + 1..both.len() {
        fs::write(&path, &both[..end]).expect("it can be written");
        append(&log, 4);
        let entries = ProofLog::open(path.clone()).1;
        // Without its end a line is still whole.
        let keys: &[Key] = if end + 1 == both.len() { &[1, 2, 4] } else { &[1, 4] };
        assert_eq!(entries.len(), keys.len(), "{end} of {}", both.len());
        assert!(keys.iter().all(|key| entries[key] == Entry::Proved));
    }
    clean_up(&path);
}

#[test]
fn what_is_superseded_goes() {
    let path = place("superseded");
    let log = ProofLog::open(path.clone()).0;
    for round in 0..50 {
        let entry = if round % 2 == 0 { Entry::Failed(String::new()) } else { Entry::Proved };
        log.append(7, &entry, "a label\nof two\u{1b} lines").expect("it can be written");
    }
    let lines = || fs::read_to_string(&path).expect("it is text").lines().count();
    assert_eq!(lines(), 50);
    assert_eq!(ProofLog::open(path.clone()).1, HashMap::from([(7, Entry::Proved)]));
    assert_eq!(lines(), 1);
    clean_up(&path);
}

/// Several processes, as far as files are concerned: each has its own handles.
#[test]
fn nothing_is_lost_where_others_write() {
    let path = place("others");
    let logs: Vec<ProofLog> = (0..2).map(|_| ProofLog::open(path.clone()).0).collect();
    for turn in 0..10 {
        append(&logs[turn as usize % 2], turn);
    }
    assert_eq!(ProofLog::open(path.clone()).1, known(10));
    thread::scope(|scope| {
        for (number, log) in logs.iter().enumerate() {
            let number = number as u128;
            scope.spawn(move || (5..100).for_each(|turn| append(log, 2 * turn + number)));
        }
        // Each time it is opened the file has a damaged line, and is rewritten.
        for _ in 0..100 {
            let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
            file.write_all(b"\nnoise\n").expect("it can be written");
            ProofLog::open(path.clone());
        }
    });
    assert_eq!(ProofLog::open(path.clone()).1, known(200));
    clean_up(&path);
}

/// Where nothing can be written, proofs last as long as the process, which says so once.
#[test]
fn a_place_that_does_not_serve_is_reported_once() {
    let file = place("useless");
    fs::write(&file, "a file").expect("it can be written");
    let folder = file.with_file_name("folder");
    fs::create_dir(&folder).expect("it can be made");
    for path in [folder, file.join("proofs.txt"), PathBuf::from("/proc/none/proofs.txt")] {
        let mut cache = ProofCache::at(path.clone());
        let said = cache.record(1, Entry::Proved, "matmul").expect_err("nothing can be written");
        assert!(said.starts_with(&path.display().to_string()), "{said}");
        assert_eq!(cache.record(2, Entry::Proved, "matmul"), Ok(()));
        assert_eq!([1, 2, 3].map(|key| cache.entry(key, false).is_some()), [true, true, false]);
    }
    clean_up(&file);
}

/// The other half of [`nothing_is_lost_where_others_write`]: a cache writes a result once.
#[test]
fn what_is_known_is_not_written_again() {
    let path = place("known");
    let mut size = None;
    for _ in 0..3 {
        let mut cache = ProofCache::at(path.clone());
        for number in 0..10 {
            assert_eq!(cache.entry(number, false).is_some(), size.is_some());
            let entry = if number == 3 { Entry::Failed("wrong".to_owned()) } else { Entry::Proved };
            cache.record(number, entry, "matmul").expect("it can be written");
        }
        let now = fs::metadata(&path).expect("it is there").len();
        assert_eq!(*size.get_or_insert(now), now);
    }
    clean_up(&path);
}
