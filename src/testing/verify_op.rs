//! Tests of an operation of another crate, in that crate.

/// Writes the tests of an operation of your crate, an [`ops::Custom`](crate::ops::Custom): whether
/// its results, derivatives and shader are right, on every device there is.
///
/// ```
/// wgrad::testing::verify_op! {
///     scaled_rows,
///     operands: [(f32[3, 7]), (f32[64, 300])],
/// }
/// ```
///
/// `scaled_rows` is a function without arguments that returns the operation. Where it has another
/// name or needs arguments, an expression does: `mod rows = scaled_rows(0.5)`. The operands are
/// lists in the order of the operation, `(f32[3, 7], u32[3])`, of `f32`, `f16`, `i32`, `u32` and `bool`;
/// `f32[]` is a scalar. Each list is checked as it is and on extents that kernels get wrong, as far as
/// the shape rule takes them: see [`OpCheck`](super::OpCheck), which the tests call.
///
/// The tests are in a module of the operation's name, which only tests compile:
///
/// | test | passes if |
/// |---|---|
/// | `conformance_on_the_reference` | there is a definition, and it returns as many elements as it must |
/// | `conformance_on_the_cpu` | the CPU's results, from the operation's loop if it has one, are within the bound |
/// | `conformance_on_the_gpu` | so are those of the shader, on every GPU that answers, also for a consumer and between guard bands |
/// | `first_derivative`, `second_derivative` | each is that of central differences, and of the CPU and the GPUs |
/// | `races` | the host, which follows the shader, finds no race and no index past an end in it |
/// | `proof` | every GPU proves the shader, and not only on finite values |
///
/// Without a GPU those that need one say on stderr that they are skipped, and pass, unless the
/// environment has `REQUIRE_GPU=1`, as a CI's should. A sample that fails is printed with the smallest
/// one that fails like it, its operands and their seeds.
///
/// More may be said, in this order:
///
/// * `samples: [sample, …]` after the operands: [`Sample`](super::Sample)s with values or bounds of
///   their own.
/// * `derivative: none` for an operation without a derivative, and `derivative: first` for one whose
///   derivative has none: the tests of the others are not there. With `none` there is
///   `has_no_derivative`, which fails once there is one.
/// * `special_values: unchecked` if the shader may be wrong on NaN, infinities and their like.
///
/// ```
/// wgrad::testing::verify_op! {
///     mod coarsely_scaled = scaled_rows(0.5),
///     operands: [(f32[3, 7]), (f32[64, 300])],
///     derivative: first,
///     special_values: unchecked,
/// }
/// ```
#[macro_export]
macro_rules! verify_op {
    (
        mod $name:ident = $op:expr,
        operands: [$(($($dtype:ident [$($extent:expr),* $(,)?]),* $(,)?)),* $(,)?]
        $(, samples: [$($sample:expr),* $(,)?])?
        $(, derivative: $derivative:ident)?
        $(, special_values: $special:ident)?
        $(,)?
    ) => {
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports, reason = "an operation may be named by a path")]
            use super::*;

            fn check() -> $crate::testing::OpCheck {
                let check = $crate::testing::OpCheck::new($op);
                $(
                    let check = check.operands([$(
                        $crate::Meta::new([$($extent),*], $crate::verify_op!(@dtype $dtype))
                    ),*]);
                )*
                $($(let check = check.sample($sample);)*)?
                $($crate::verify_op!(@special $special check);)?
                check
            }

            fn passes(report: $crate::testing::OpReport) {
                assert!(report.passes(), "{report}");
            }

            /// The GPUs, or none where tests may be skipped.
            fn gpus() -> &'static [$crate::Device] {
                match $crate::testing::gpus_for_tests() {
                    Ok(gpus) => gpus,
                    Err(error) => panic!("REQUIRE_GPU=1, and {error}"),
                }
            }

            #[test]
            fn conformance_on_the_reference() {
                passes(check().conformance(&[$crate::Device::Reference]));
            }

            #[test]
            fn conformance_on_the_cpu() {
                passes(check().conformance(&[$crate::Device::cpu()]));
            }

            #[test]
            fn conformance_on_the_gpu() {
                passes(check().conformance(gpus()));
            }

            #[test]
            fn races() {
                passes(check().races());
            }

            #[test]
            fn proof() {
                passes(check().proof(gpus()));
            }

            $crate::verify_op!(@derivatives $($derivative)?);
        }
    };
    // A function in scope, which names the module.
    ($name:ident, $($rest:tt)*) => {
        $crate::verify_op! { mod $name = $name(), $($rest)* }
    };

    (@derivatives none) => {
        #[test]
        fn has_no_derivative() {
            let message = "it has one by now: strike `derivative: none`, so that it is checked";
            assert!(!check().is_differentiable(), "{message}");
        }
    };
    (@derivatives first) => {
        #[test]
        fn first_derivative() {
            let devices = [&[$crate::Device::cpu()][..], gpus()].concat();
            passes(check().derivative(1, &devices));
        }
    };
    (@derivatives) => {
        $crate::verify_op!(@derivatives first);

        #[test]
        fn second_derivative() {
            let devices = [&[$crate::Device::cpu()][..], gpus()].concat();
            passes(check().derivative(2, &devices));
        }
    };
    (@derivatives $other:ident) => {
        compile_error!("derivative: is `none` or `first`; leave it out where there are both");
    };

    (@special unchecked $check:ident) => { let $check = $check.finite_only(); };
    (@special $other:ident $check:ident) => {
        compile_error!("special_values: is `unchecked`, or left out");
    };

    (@dtype f32) => { $crate::DType::F32 };
    (@dtype f16) => { $crate::DType::F16 };
    (@dtype i32) => { $crate::DType::I32 };
    (@dtype u32) => { $crate::DType::U32 };
    (@dtype bool) => { $crate::DType::Bool };
    (@dtype $other:ident) => {
        compile_error!("operands are of f32, f16, i32, u32 or bool");
    };
}

#[doc(inline)]
pub use crate::verify_op;
