// workgroup_memory.wgsl — leaves NaN in workgroup memory, for whichever kernel gets it next.
//
// Op        gpu::memory::workgroup_poison
// Shape     y: [2], the pattern, and 1 if some of it did not arrive
// Dispatch  any number of workgroups of 64 invocations along x
// Memory    4 WORDS bytes of workgroup memory, all that there is

/// Words of the workgroup memory of a device.
override WORDS: u32 = 4096u;

var<workgroup> memory: array<u32, WORDS>;

@group(0) @binding(0) var<storage, read_write> y: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lid: u32) {
    let pattern = y[0];
    for (var word = lid; word < WORDS; word += 64u) {
        memory[word] = pattern;
    }
    workgroupBarrier(); // the pattern is complete
    // A compiler drops stores that nobody reads.
    if memory[(pattern + lid) % WORDS] != pattern {
        y[1] = 1u;
    }
}
