//! Values in buffers that others made, and buffers of values for others.

use super::{BufferSlice, GpuValue};
use crate::{
    array::Array,
    dtype::DType,
    error::{BufferError, DeviceError, Error},
    gpu::{
        device::{
            GpuDevice,
            embedding::reports_to,
            faults::{fault, scoped},
        },
        elements::bytes_of,
    },
    resident::{Read, Resident, Wait},
    shape::{Meta, Shape},
    value::Value,
};
use std::{any::Any, num::NonZeroU64, sync::Arc};
use wgpu::BufferUsages;

/// What programs and reads do with an input.
const NEEDED: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC);
/// Usages of buffers that the host maps.
const MAPPABLE: BufferUsages = BufferUsages::MAP_READ.union(BufferUsages::MAP_WRITE);
/// Alignment of the widest loads of kernels in bytes.
const WIDEST_LOAD: u64 = 16;

/// A value in a buffer of someone else.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    device: GpuDevice,
    slice: BufferSlice,
    len: usize,
    dtype: DType,
}

impl Resident for Imported {
    fn read<'a>(&'a self, meta: &'a Meta, wait: Wait) -> Read<'a> {
        Box::pin(async move {
            let words = self.device.read(&self.slice, self.len, self.dtype, wait).await?;
            Array::from_words(meta.clone(), words)
        })
    }

    fn write(&self, _: &[u32]) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The memory of a value, if it is that of this device.
pub(crate) fn slice_on<'v>(device: &GpuDevice, value: &'v Value) -> Option<&'v BufferSlice> {
    let (owner, slice) = match (value.data.is::<GpuValue>(), value.data.is::<Imported>()) {
        (Some(result), _) => (result.device(), result.slice()),
        (_, Some(imported)) => (&imported.device, &imported.slice),
        (None, None) => return None,
    };
    owner.is(device).then_some(slice)
}

impl GpuDevice {
    /// A tensor in a buffer of yours, as an input of programs: nothing is copied.
    ///
    /// The elements are in row-major order from byte `offset` on: 4 bytes each, little-endian, but 2 for
    /// f16, of which an odd number is followed by 2 bytes of padding. A bool is a word that is 0 or 1. What
    /// is in the buffer is not looked at: other words are no bool, and an index that is out of range is
    /// an error of yours.
    ///
    /// A run reads what the commands leave there that were submitted before it. You may write it again
    /// as soon as [`run`](crate::Program::run) has returned, for what you submit runs later; the value then
    /// is what you wrote. It keeps the buffer alive. Import a buffer once and keep the value, rather than
    /// once a run, for each import makes a program create bind groups.
    ///
    /// # Errors
    ///
    /// [`BufferError`] if the buffer lacks the usages `STORAGE` and `COPY_SRC`, may be mapped, is too
    /// small, was destroyed, or is not that of this device, and if `offset` is no multiple of
    /// `min_storage_buffer_offset_alignment`, a limit of the device; [`DeviceError::Lost`]. A buffer that is
    /// destroyed later is an error of the run.
    pub fn import(
        &self,
        buffer: &wgpu::Buffer,
        offset: u64,
        shape: impl Into<Shape>,
        dtype: DType,
    ) -> Result<Value, Error> {
        let meta = Meta::new(shape, dtype);
        self.shared.faults.check()?;
        self.check_import(buffer, offset, &meta)?;
        let slice = BufferSlice { buffer: Arc::new(buffer.clone()), first: offset };
        let (device, len) = (self.clone(), meta.shape.len());
        Ok(Value::new(meta, Arc::new(Imported { device, slice, len, dtype })))
    }

    /// The buffer of a value and its range there, to be bound by your own commands: nothing is copied.
    ///
    /// Elements lie there as [`import`](Self::import) says. The buffer has the usages `STORAGE`, `COPY_SRC`
    /// and `COPY_DST`; copy from it what is to have another, such as `VERTEX`. The range is that of the
    /// value until the last clone of the value, and of the [`Outputs`](crate::Outputs) it is from, is
    /// dropped; a later run of the program then writes its results there. What you submitted before that
    /// run reads the value all the same. A program has a few buffers for each of its results, and takes
    /// them in turn: bind groups can be kept by buffer.
    ///
    /// Do not write there: what the host reads of a small result was copied with the run.
    ///
    /// # Errors
    ///
    /// [`BufferError::NotOnDevice`] if the value is not in the memory of this device;
    /// [`DeviceError::Lost`].
    pub fn export<'v>(&self, value: &'v Value) -> Result<wgpu::BufferSlice<'v>, Error> {
        self.shared.faults.check()?;
        let Some(slice) = slice_on(self, value) else {
            let meta = value.meta().clone();
            return Err(DeviceError::from(BufferError::NotOnDevice { meta }).into());
        };
        let bytes = bytes_of(value.meta().shape.len(), value.meta().dtype);
        Ok(slice.buffer.slice(slice.first..slice.first + bytes))
    }

    fn check_import(&self, buffer: &wgpu::Buffer, offset: u64, meta: &Meta) -> Result<(), Error> {
        let refuse = |error: BufferError| Err(DeviceError::from(error).into());
        let len = meta.shape.checked_len().filter(|&len| i32::try_from(len).is_ok());
        let Some(len) = len else { return refuse(BufferError::TooLarge { meta: meta.clone() }) };
        let missing = NEEDED.difference(buffer.usage());
        if !missing.is_empty() {
            return refuse(BufferError::Usage { missing });
        }
        if buffer.usage().intersects(MAPPABLE) {
            return refuse(BufferError::Mappable);
        }
        let alignment = self.shared.limits.min_storage_buffer_offset_alignment;
        let alignment = u64::from(alignment).max(WIDEST_LOAD);
        if !offset.is_multiple_of(alignment) {
            return refuse(BufferError::Unaligned { offset, alignment });
        }
        let (needed, size) = (bytes_of(len, meta.dtype), buffer.size());
        if size.checked_sub(offset).is_none_or(|left| left < needed) {
            return refuse(BufferError::TooSmall { meta: meta.clone(), needed, offset, size });
        }
        // An empty range may be viewed whatever else is.
        if buffer.get_mapped_range(0..0).is_ok() {
            return refuse(BufferError::Mapped);
        }
        if !self.owns(buffer) {
            self.notice_loss();
            self.shared.faults.alive()?;
            return refuse(BufferError::Foreign);
        }
        match self.bind(buffer, offset, needed) {
            Err(DeviceError::Reported { message }) => refuse(BufferError::Unusable { message }),
            bound => Ok(bound?),
        }
    }

    /// Whether a buffer that cannot be mapped is that of this device.
    fn owns(&self, buffer: &wgpu::Buffer) -> bool {
        // One after another: the first of these mistakes is seen by a second thread that makes it.
        let _turn = self.submissions();
        let device = &self.shared.device;
        let is_own = reports_to(device, || buffer.map_async(wgpu::MapMode::Read, 0..4, |_| ()));
        if is_own {
            // Else wgpu takes it for mapped.
            reports_to(device, || buffer.unmap());
        }
        is_own
    }

    /// Binds a range of a buffer as an input, to see whether that is possible.
    fn bind(&self, buffer: &wgpu::Buffer, offset: u64, size: u64) -> Result<(), DeviceError> {
        let device = &self.shared.device;
        let entry = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: true },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let resource = wgpu::BufferBinding { buffer, offset, size: NonZeroU64::new(size) };
        let create = || {
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &[entry],
            });
            let _ = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &layout,
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: wgpu::BindingResource::Buffer(resource),
                }],
            });
        };
        scoped(device, create).map_err(|error| fault(error, None))
    }
}
