//! Several transforms.

use super::{Image, Transform};
use crate::{data::Random, error::Error};
use std::sync::Arc;

/// Transforms that are applied one after another. A clone shares them.
///
/// ```
/// use wgrad::data::augment::{Compose, Normalize, RandomFlip, RandomResizedCrop, Transform};
///
/// let transforms = Compose::new()
///     .add(RandomResizedCrop::new([224, 224]))
///     .add(RandomFlip::horizontal())
///     .add(Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]));
/// assert_eq!(transforms.extents([3, 256, 320])?, [3, 224, 224]);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[doc(alias("Sequential", "Pipeline"))]
#[derive(Clone, Debug, Default)]
pub struct Compose {
    transforms: Vec<Arc<dyn Transform>>,
}

impl Compose {
    /// Leaves every image as it is, until transforms are added.
    pub fn new() -> Self {
        Compose::default()
    }

    /// Appends a transform.
    #[expect(clippy::should_implement_trait, reason = "it adds to a list; there is no sum")]
    pub fn add(mut self, transform: impl Transform + 'static) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }
}

impl Transform for Compose {
    fn extents(&self, extents: [usize; 3]) -> Result<[usize; 3], Error> {
        self.transforms.iter().try_fold(extents, |extents, transform| transform.extents(extents))
    }

    fn apply(&self, image: Image, mut random: Option<&mut Random>) -> Result<Image, Error> {
        self.transforms.iter().try_fold(image, |image, transform| {
            // Each has its own, so that it does not matter how many numbers those before it take.
            let mut own = random.as_mut().map(|random| Random::new(&[random.next()]));
            transform.apply(image, own.as_mut())
        })
    }
}
