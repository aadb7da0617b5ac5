//! The CPU load of other processes during a measurement.

/// CPU time since the system started, in ticks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ticks {
    /// All CPU time of all cores, idle time included.
    all: u64,
    /// CPU time used by any process or stolen by other virtual machines.
    spent: u64,
    /// CPU time used by this process.
    own: u64,
}

/// A measurement that began here.
pub(super) struct Watch(Option<Ticks>);

/// Fewer ticks tell nothing.
const LEAST: u64 = 20;

impl Watch {
    pub fn begin() -> Self {
        Watch(Ticks::now())
    }

    /// The share of the machine's CPU time that others took since then; `None` where the system does
    /// not say, or too little time has passed.
    pub fn others(&self) -> Option<f64> {
        self.0?.others_until(Ticks::now()?)
    }
}

impl Ticks {
    /// On Linux; other systems have no such files.
    fn now() -> Option<Self> {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        Ticks::parse(&read("/proc/stat")?, &read("/proc/self/stat")?)
    }

    fn parse(system: &str, process: &str) -> Option<Self> {
        let numbers = system.lines().find_map(|line| line.strip_prefix("cpu "))?;
        // User, nice, system, idle, waiting for disks, interrupts (two kinds), stolen.
        let numbers = numbers.split_whitespace().take(8).map(|number| number.parse::<u64>().ok());
        let numbers = numbers.collect::<Option<Vec<u64>>>()?;
        let all = numbers.iter().sum::<u64>();
        let idle = numbers.get(3)? + numbers.get(4)?;
        // The name of the process, in parentheses, may hold spaces and parentheses.
        let mut rest = process.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut next = || rest.next()?.parse::<u64>().ok();
        Some(Ticks { all, spent: all - idle, own: next()? + next()? })
    }

    fn others_until(self, end: Ticks) -> Option<f64> {
        let all = end.all.checked_sub(self.all).filter(|&all| all >= LEAST)?;
        let spent = end.spent.saturating_sub(self.spent);
        let others = spent.saturating_sub(end.own.saturating_sub(self.own));
        Some(others.min(all) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_read() {
        let system = "cpu  100 20 30 400 50 6 7 8 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        let process = "42 (a ) b) R 1 2 3 4 5 6 7 8 9 10 21 13 0 0 20";
        let read = Ticks { all: 621, spent: 171, own: 34 };
        assert_eq!(Ticks::parse(system, process), Some(read));
        assert_eq!(Ticks::parse("cpu  1 2", process), None);
        assert_eq!(Ticks::parse(system, ""), None);
    }

    #[test]
    fn what_this_process_takes_is_not_of_others() {
        let begin = Ticks { all: 1000, spent: 500, own: 100 };
        let until = |all, spent, own| begin.others_until(Ticks { all, spent, own });
        assert_eq!(until(1200, 600, 200), Some(0.0));
        assert_eq!(until(1200, 600, 150), Some(0.25));
        // Counters are not read at the same moment.
        assert_eq!(until(1200, 600, 210), Some(0.0));
        assert_eq!(until(1010, 505, 100), None, "too short");
    }
}
