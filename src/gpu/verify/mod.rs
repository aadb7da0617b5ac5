//! Kernels are proved on the adapter before a program uses them.

mod prove;
