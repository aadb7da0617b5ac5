//! A value that arrives once, for all tasks and threads that wait for it.
//!
//! Tasks are woken without any lock held: one that is dropped when it is woken may drop what it waits
//! for. The oneshot channels of `futures-intrusive` wake under theirs, and that task would hang.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

/// Waits for the value. Clones wait for the same one.
#[derive(Debug)]
pub(crate) struct Arrival<T>(Arc<Mutex<State<T>>>);

/// Brings the value. If it is dropped without, nothing arrives.
#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
enum State<T> {
    /// The tasks that wait.
    Awaited(Vec<Waker>),
    Arrived(Option<T>),
}

/// A value to come, and who brings it.
pub(crate) fn arrival<T>() -> (Sender<T>, Arrival<T>) {
    let state = Arc::new(Mutex::new(State::Awaited(Vec::new())));
    (Sender(state.clone()), Arrival(state))
}

impl<T: Clone> Arrival<T> {
    /// The value; `None` if there will be none.
    pub async fn receive(&self) -> Option<T> {
        poll_fn(|cx| match &mut *lock(&self.0) {
            State::Arrived(value) => Poll::Ready(value.clone()),
            State::Awaited(wakers) => {
                if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                    wakers.push(cx.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }
}

impl<T> Arrival<T> {
    /// Whether the value is there, or will never be.
    pub fn is_there(&self) -> bool {
        matches!(*lock(&self.0), State::Arrived(_))
    }

    /// Whether both wait for the same value.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Arrival<T> {
    fn clone(&self) -> Self {
        Arrival(self.0.clone())
    }
}

impl<T> Sender<T> {
    /// Brings the value.
    pub fn send(self, value: T) {
        arrive(&self.0, Some(value));
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        arrive(&self.0, None);
    }
}

/// Ends the waiting, unless it has ended.
fn arrive<T>(state: &Mutex<State<T>>, value: Option<T>) {
    let mut state = lock(state);
    if let State::Awaited(wakers) = &mut *state {
        let wakers = std::mem::take(wakers);
        *state = State::Arrived(value);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Wake},
    };

    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn all_who_wait_are_woken_once() {
        for value in [Some(7), None] {
            let (sender, arrival) = arrival();
            let counters = [0, 0].map(|n| Arc::new(Counter(AtomicUsize::new(n))));
            let mut waits = [Box::pin(arrival.receive()), Box::pin(arrival.receive())];
            let mut poll = || {
                [0, 1].map(|k| {
                    let waker = Waker::from(counters[k].clone());
                    waits[k].as_mut().poll(&mut Context::from_waker(&waker))
                })
            };
            assert_eq!(poll(), [Poll::Pending; 2]);
            assert_eq!(poll(), [Poll::Pending; 2]);
            match value {
                Some(value) => sender.send(value),
                None => drop(sender),
            }
            assert_eq!(poll(), [Poll::Ready(value); 2]);
            assert_eq!(counters.map(|counter| counter.0.load(Ordering::Relaxed)), [1, 1]);
            assert_eq!(pollster::block_on(arrival.clone().receive()), value);
        }
    }

    /// A task that is dropped by what wakes it, and with it the last who waits.
    #[test]
    fn a_waiter_may_go_when_it_is_woken() {
        type Task = std::pin::Pin<Box<dyn Future<Output = Option<i32>> + Send>>;
        struct Dropping(Mutex<Option<Task>>);
        impl Wake for Dropping {
            fn wake(self: Arc<Self>) {
                drop(self.0.lock().expect("nothing panics").take());
            }
        }
        let (sender, arrival) = arrival();
        let dropping = Arc::new(Dropping(Mutex::default()));
        let mut task: Task = Box::pin(async move { arrival.receive().await });
        let waker = Waker::from(dropping.clone());
        assert_eq!(task.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
        *dropping.0.lock().expect("nothing panics") = Some(task);
        sender.send(1);
        assert!(dropping.0.lock().expect("nothing panics").is_none());
    }
}
