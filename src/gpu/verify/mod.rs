//! Verification of kernels on the adapter before a program uses them.

mod prove;
