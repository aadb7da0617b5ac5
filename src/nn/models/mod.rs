//! Whole networks, with the parameter names and layouts of their like in PyTorch: what PyTorch saved
//! of one, [`io::state_dict`](crate::io::state_dict) loads, and the other way round.

mod feed_forward;
mod gan;
mod language;
mod resnet;

pub use feed_forward::{autoencoder, cnn, mlp};
pub use gan::{Discriminator, Generator};
pub use language::{LstmClassifier, Transformer};
pub use resnet::{ResNet, Stem};
