//! `wgrad devices`: what it lists for people is what it lists for machines.

use super::{objects, wgrad};

#[test]
fn devices_are_listed_with_what_kernels_can_use() {
    let [text, json] = [&["devices"][..], &["devices", "--json"]].map(wgrad);
    let text = String::from_utf8(text.stdout).expect("it prints text");
    let listed = objects(&json);
    let (cpu, adapters) = listed.split_last().expect("there is a CPU");
    assert_eq!((&cpu["device"], &cpu["usable"]), (&"cpu".into(), &true.into()));
    assert_eq!(listed.iter().filter(|device| device["best"] == true).count(), 1);
    // An adapter takes a line for itself, and indented ones for what it has.
    let mut blocks = text.split("gpu:").skip(1);
    for adapter in adapters {
        let block = blocks.next().expect("each adapter is listed twice");
        let limits = &adapter["limits"];
        let [invocations, kilobytes] = [
            limits["workgroup_invocations"].as_u64().expect("it is a number"),
            limits["workgroup_bytes"].as_u64().expect("it is a number") >> 10,
        ];
        let subgroups = match &limits["subgroup_sizes"] {
            sizes if sizes[0] == sizes[1] => format!("subgroups of {}", sizes[0]),
            sizes => format!("subgroups of {} to {}", sizes[0], sizes[1]),
        };
        let plural = if invocations == 1 { "" } else { "s" };
        let expected = format!(
            "workgroups of up to {invocations} invocation{plural} and {kilobytes} KiB, {subgroups}"
        );
        assert!(block.contains(&expected), "{block}");
        for feature in adapter["features"].as_array().expect("it is a list") {
            assert!(block.contains(feature.as_str().expect("it is a name")), "{block}");
        }
        let matrices = adapter["cooperative_matrices"].as_array().expect("it is a list");
        for matrix in matrices {
            let [m, n, k] = ["m", "n", "k"].map(|size| matrix[size].as_u64().expect("a number"));
            let [operands, result] =
                ["operands", "result"].map(|of| matrix[of].as_str().expect("it is a type"));
            assert!(block.contains(&format!("{m}x{n}x{k} {operands} -> {result}")), "{block}");
        }
        assert_eq!(matrices.is_empty(), !block.contains("cooperative matrices:"), "{block}");
    }
    assert!(blocks.next().is_none());
}
