use crate::common::{gpu, upload};

/// Later reads take the buffers of earlier ones, and see nothing of what those held.
#[test]
fn buffers_are_used_again() {
    let gpu = gpu();
    let slices = [1u32, 2, 3].map(|v| upload(&gpu, &vec![v; 300]));
    for _ in 0..3 {
        for (slice, want) in slices.iter().zip(1..) {
            assert_eq!(pollster::block_on(gpu.read::<u32>(slice)).unwrap(), [want; 300]);
        }
        let got = pollster::block_on(gpu.read_many::<u32>(&[&slices[2], &slices[0].sub(0, 5)])).unwrap();
        assert_eq!(got, [vec![3; 300], vec![1; 5]]);
    }
    assert_eq!(gpu.staged(), 1);
}
