//! A thread that waits for submissions in the place of tasks.
//!
//! A submission is noticed by a thread that asks the driver for it, and a task that awaits a read
//! must not hold up the thread it runs on. The first such task starts this thread, which sleeps until
//! the next one asks. It keeps no device open: a request brings one along, and gives it back before
//! its task is woken.

use super::arrival::{Arrival, arrival};
use std::{
    sync::{Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

/// The thread, once it is needed.
#[derive(Debug, Default)]
pub(crate) struct Waiter {
    thread: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    requests: mpsc::Sender<Box<dyn FnOnce() + Send>>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Starts a thread; `None` if the system refuses it.
    fn start() -> Option<Self> {
        let (requests, received) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        let serve = move || received.into_iter().for_each(|wait| wait());
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
        let mut request: Box<dyn FnOnce() + Send> = Box::new(move || {
            // What goes wrong, a loss at most, is known to the device.
            let _ = device
                .poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None });
            drop(device);
            sender.send(());
        });
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*thread {
            match running.requests.send(request) {
                Ok(()) => return receiver,
                // A task that panicked when it was woken ended the thread.
                Err(mpsc::SendError(unsent)) => request = unsent,
            }
        }
        *thread = Running::start();
        if let Some(running) = &*thread {
            let _ = running.requests.send(request);
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
