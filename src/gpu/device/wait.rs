//! Waits for a device: on this thread, or as a task that is woken.

use super::{GpuDevice, Shared, arrival::Arrival, poll::poll, spin::spin};
use crate::{
    error::{DeviceError, Error},
    resident::Wait,
};

impl GpuDevice {
    /// Blocks until everything submitted so far has finished.
    ///
    /// # Errors
    ///
    /// Any fault the device has reported.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait_idle(&self) -> Result<(), Error> {
        self.finish_soon(|| false);
        self.poll(wgpu::PollType::wait_indefinitely())
    }

    /// Stays awake for a moment, until there is what is waited for or the queue is empty. A wait for
    /// work behind which other work is in flight has no reason to: it is not in a hurry.
    fn finish_soon(&self, is_there: impl Fn() -> bool) {
        spin(self.patience, || {
            let polled = poll(&self.shared.device, wgpu::PollType::Poll);
            is_there() || polled.is_ok_and(|status| status.is_queue_empty())
        });
    }

    /// Waits for the last submission of this thread.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn wait_for_last(&self, submission: wgpu::SubmissionIndex) -> Result<(), Error> {
        self.finish_soon(|| false);
        self.wait(submission)
    }

    /// Waits for a submission; in a browser the event loop does that.
    pub(crate) fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), Error> {
        if cfg!(target_arch = "wasm32") {
            return self.shared.faults.check();
        }
        self.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })
    }

    /// Waits for what arrives when a submission has finished: on this thread, or as a task that is
    /// woken. `None` if nothing will arrive.
    pub(crate) async fn arrived<T: Clone>(
        &self,
        arrival: &Arrival<T>,
        submission: &wgpu::SubmissionIndex,
        wait: Wait,
    ) -> Result<Option<T>, Error> {
        let Shared { device, waiter, faults, .. } = &*self.shared;
        if wait == Wait::Yield && !cfg!(target_arch = "wasm32") {
            // Not a wait with a timeout: wgpu 30 panics where one ends while another thread polls.
            let _ = poll(device, wgpu::PollType::Poll);
            if !arrival.is_there() {
                let finished = waiter.wait(device, submission.clone());
                if finished.receive().await.is_none() {
                    self.wait(submission.clone())?;
                }
                if !arrival.is_there() {
                    self.notice_loss();
                }
            }
            faults.alive()?;
        } else {
            if !cfg!(target_arch = "wasm32") {
                self.finish_soon(|| arrival.is_there());
            }
            if arrival.is_there() {
                faults.check()?;
            } else {
                self.wait(submission.clone())?;
            }
        }
        // Whoever saw the submission finished brings it, this thread or another one; in a browser it is
        // the event loop.
        Ok(arrival.receive().await)
    }

    fn poll(&self, kind: wgpu::PollType) -> Result<(), Error> {
        let polled = poll(&self.shared.device, kind);
        match &polled {
            Ok(_) => {}
            Err(lost @ DeviceError::Lost { .. }) => self.shared.faults.record(lost.clone()),
            Err(_) => self.notice_loss(),
        }
        // A fault explains a failed poll better than the poll's own error.
        self.shared.faults.check()?;
        polled?;
        Ok(())
    }
}
