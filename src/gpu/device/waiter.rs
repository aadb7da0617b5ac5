//! A thread that waits for submissions in the place of tasks.
//!
//! A submission is noticed by a thread that asks the driver for it, and a task that awaits a read
//! must not hold up the thread it runs on. The first such task starts this thread, which sleeps until
//! the next one asks. It keeps no device open: a request brings one along, and gives it back before
//! its task is woken.

use super::{
    arrival::{Arrival, arrival},
    poll::poll,
};
use futures_intrusive::channel::{
    TrySendError,
    shared::{Sender, channel},
};
use std::{
    sync::{Mutex, PoisonError},
    thread::{self, JoinHandle},
};

/// The thread, once it is needed.
#[derive(Default)]
pub(crate) struct Waiter {
    thread: Mutex<Option<Running>>,
}

struct Running {
    requests: Sender<Request>,
    thread: JoinHandle<()>,
}

type Request = Box<dyn FnOnce() + Send>;

impl Running {
    /// Starts a thread; `None` if the system refuses it.
    fn start() -> Option<Self> {
        let (requests, received) = channel::<Request>(usize::MAX);
        let serve = move || {
            // In a browser nobody asks.
            #[cfg(not(target_arch = "wasm32"))]
            while let Some(wait) = pollster::block_on(received.receive()) {
                wait();
            }
            drop(received);
        };
        let thread = thread::Builder::new().name("wgrad waiter".to_owned()).spawn(serve).ok()?;
        Some(Running { requests, thread })
    }
}

impl Waiter {
    /// Waits for a submission on the thread, and then gives notice. Without a thread, or if it ends
    /// early, nothing arrives.
    pub fn wait(&self, device: &wgpu::Device, submission: wgpu::SubmissionIndex) -> Arrival<()> {
        let (sender, receiver) = arrival();
        let device = device.clone();
        let mut request: Request = Box::new(move || {
            // What goes wrong, a loss at most, is known to the device.
            let until = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
            let _ = poll(&device, until);
            drop(device);
            sender.send(());
        });
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*thread {
            match running.requests.try_send(request) {
                Ok(()) => return receiver,
                // A task that panicked when it was woken ended the thread.
                Err(TrySendError::Closed(unsent) | TrySendError::Full(unsent)) => request = unsent,
            }
        }
        *thread = Running::start();
        if let Some(running) = &*thread {
            let _ = running.requests.try_send(request);
        }
        receiver
    }
}

impl Drop for Waiter {
    /// Ends the thread, so that a device is closed by whoever drops its last handle: drivers do not
    /// take it well from a thread of its own at the end of a process.
    fn drop(&mut self) {
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { requests, thread }) = thread else { return };
        drop(requests);
        // A task that it woke may have held the last handle.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}
