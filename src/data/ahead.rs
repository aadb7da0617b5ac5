//! Work that threads do ahead of its reader.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, Scope},
};

/// Results of tasks in their order, which threads of a scope work out ahead of the reader.
///
/// Which thread does a task, and when, has no influence on the results. A panic of a task is that of
/// the reader who comes to it.
pub(crate) struct Ahead<'scope, T> {
    shared: Arc<Shared<'scope, T>>,
    has_threads: bool,
}

struct Shared<'scope, T> {
    task: Box<dyn Fn(usize) -> T + Send + Sync + 'scope>,
    tasks: usize,
    /// How many tasks may be done or in work that were not read yet.
    most: usize,
    state: Mutex<State<T>>,
    /// A task is done.
    done: Condvar,
    /// A result was read, or none will be any more.
    read: Condvar,
}

struct State<T> {
    /// Number of tasks that a thread has begun.
    begun: usize,
    /// Number of results that were read.
    read: usize,
    results: BTreeMap<usize, thread::Result<T>>,
    is_over: bool,
}

impl<'scope, T: Send + 'scope> Ahead<'scope, T> {
    /// Begins tasks 0 to below `tasks` in so many threads, of which at most `most` are done or in work
    /// and not read. Where the system starts no thread, the reader does them.
    pub fn new(
        scope: &'scope Scope<'scope, '_>,
        (threads, most): (usize, usize),
        tasks: usize,
        task: impl Fn(usize) -> T + Send + Sync + 'scope,
    ) -> Self {
        let state = State { begun: 0, read: 0, results: BTreeMap::new(), is_over: false };
        let shared = Arc::new(Shared {
            task: Box::new(task),
            tasks,
            most: most.max(1),
            state: Mutex::new(state),
            done: Condvar::new(),
            read: Condvar::new(),
        });
        let start = |number| {
            let shared = shared.clone();
            let name = format!("wgrad data {number}");
            let work = move || while shared.work() {};
            thread::Builder::new().name(name).spawn_scoped(scope, work).is_ok()
        };
        let threads = threads.min(tasks).min(shared.most);
        let started = (0..threads).take_while(|&number| start(number)).count();
        Ahead { shared, has_threads: started > 0 }
    }
}

impl<T> Shared<'_, T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the next task as soon as there is room for its result. Returns whether there may be
    /// another.
    fn work(&self) -> bool {
        let wait = |state: &mut State<T>| {
            !state.is_over && state.begun < self.tasks && state.begun - state.read >= self.most
        };
        let mut state =
            self.read.wait_while(self.lock(), wait).unwrap_or_else(PoisonError::into_inner);
        if state.is_over || state.begun == self.tasks {
            return false;
        }
        let task = state.begun;
        state.begun += 1;
        drop(state);
        let result = catch_unwind(AssertUnwindSafe(|| (self.task)(task)));
        self.lock().results.insert(task, result);
        self.done.notify_all();
        true
    }
}

impl<T> Iterator for Ahead<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let shared = &*self.shared;
        let mut state = shared.lock();
        let next = state.read;
        if next == shared.tasks {
            return None;
        }
        if !self.has_threads {
            state.read += 1;
            drop(state);
            return Some((shared.task)(next));
        }
        let result = loop {
            match state.results.remove(&next) {
                Some(result) => break result,
                None => state = shared.done.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        };
        state.read += 1;
        drop(state);
        shared.read.notify_all();
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<T> Drop for Ahead<'_, T> {
    /// Tasks that were not begun never are.
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.read.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_come_in_order_and_not_too_early() {
        for threads in [0, 1, 3] {
            let (running, read) = (AtomicUsize::new(0), AtomicUsize::new(0));
            thread::scope(|scope| {
                let task = |number: usize| {
                    running.fetch_add(1, Ordering::SeqCst);
                    // The reader counts after it has read: one more may be under way.
                    assert!(number <= read.load(Ordering::SeqCst) + 4, "task {number}");
                    number * number
                };
                let mut results = vec![];
                for result in Ahead::new(scope, (threads, 4), 50, task) {
                    results.push(result);
                    read.fetch_add(1, Ordering::SeqCst);
                }
                assert_eq!(results, (0..50).map(|number| number * number).collect::<Vec<_>>());
            });
            assert_eq!(running.into_inner(), 50);
        }
    }

    #[test]
    fn a_reader_may_leave() {
        let begun = AtomicUsize::new(0);
        thread::scope(|scope| {
            let task = |number| {
                begun.fetch_add(1, Ordering::SeqCst);
                number
            };
            let first = Ahead::new(scope, (2, 3), usize::MAX, task).next();
            assert_eq!(first, Some(0));
        });
        assert!(begun.into_inner() <= 5);
    }

    #[test]
    fn a_panic_is_that_of_its_reader() {
        let outcome = catch_unwind(|| {
            thread::scope(|scope| {
                let task = |number: usize| assert!(number != 3, "task three");
                Ahead::new(scope, (2, 8), 9, task).count()
            })
        });
        let panic = outcome.expect_err("a task panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"task three"));
    }
}
