//! Complete networks, with the parameter names and layouts of their PyTorch counterparts:
//! [`io::state_dict`](crate::io::state_dict) loads weights saved by PyTorch, and vice versa.

mod feed_forward;
mod gan;
mod language;
mod resnet;

pub use feed_forward::{autoencoder, cnn, mlp};
pub use gan::{Discriminator, Generator};
pub use language::{LstmClassifier, Transformer};
pub use resnet::{ResNet, Stem};
