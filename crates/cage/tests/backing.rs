//! The accessors at the ends of a cage, and code space; both backings run this.
use cage::layout::OLD;
use cage::mem::{PAGE, SPAN};
use cage::{BaseImage, Cage, CodeSpace};

#[test]
fn accesses_at_the_ends_stay_inside() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    for off in [0, 1, 7, OLD - 3, OLD, 0x7FFF_FFFF, u32::MAX - 8, u32::MAX] {
        for disp in [0, 1, 8, 255, u16::MAX] {
            mem.w64(off, disp, 0x1122_3344_5566_7788);
            assert_eq!(mem.r64(off, disp), 0x1122_3344_5566_7788, "{off:#x} {disp}");
            assert_eq!(mem.r32(off, disp), 0x5566_7788);
            mem.w8(off, disp, 0xFF);
            mem.w16(off, disp.saturating_sub(2), 0);
            mem.w32(off, disp, 7);
            assert_eq!(mem.r64(off, disp), 0x1122_3344_0000_0007);
            mem.w64(off, disp, 0);
        }
    }
    let w = mem.win(u32::MAX);
    w.set(255, 9);
    assert_eq!((w.get(255), mem.off(w)), (9, u32::MAX));
}

#[test]
fn bulk_copies_are_checked_and_clipped() {
    let cage = Cage::new().unwrap();
    let mem = cage.mem();
    let last = (SPAN - 4) as u32;
    assert_eq!(mem.bytes_in(last, &[1, 2, 3, 4]), Some(()));
    assert_eq!(mem.bytes_in(last, &[1, 2, 3, 4, 5]), None);
    let mut out = [0; 5];
    assert_eq!(mem.bytes_out(last, &mut out), None);
    assert_eq!(mem.bytes_out(last, &mut out[..4]), Some(()));
    assert_eq!(out, [1, 2, 3, 4, 0]);
    mem.copy(last, OLD + 3, 100);
    assert_eq!(mem.bytes_out(OLD + 2, &mut out), Some(()));
    assert_eq!(out, [0, 1, 2, 3, 4]);
    mem.copy(OLD + 3, OLD + 4, 3); // overlapping
    assert_eq!(mem.r32(OLD + 4, 0), 0x0003_0201);
    mem.zero(OLD + 3, 2);
    assert_eq!(mem.r32(OLD + 3, 0), 0x0302_0000);
    mem.zero(last, 100);
    assert_eq!(mem.r32(last, 0), 0);
    let mut all = vec![9];
    mem.append(OLD + 5, 2, &mut all).unwrap();
    assert_eq!(all, [9, 2, 3]);
    assert!(!mem.is_zero(OLD, 256) && mem.is_zero(OLD + 256, 256));
}

#[test]
fn discarded_pages_are_zero_and_bases_are_private() {
    let base = BaseImage::new(&[7; 5000]).unwrap();
    assert_eq!(base.len(), 2 * PAGE);
    let (mut a, mut b) = (Cage::new().unwrap(), Cage::new().unwrap());
    a.map_base(OLD, &base).unwrap();
    b.map_base(OLD, &base).unwrap();
    a.mem().w8(OLD, 0, 1);
    assert_eq!((a.mem().r8(OLD, 0), b.mem().r8(OLD, 0), b.mem().r8(OLD, 4999), b.mem().r8(OLD, 5000)), (1, 7, 7, 0));
    let at = OLD + (1 << 20);
    a.mem().w64(at, 8, 5);
    a.mem().w64(at + PAGE as u32, 0, 6);
    a.mem().discard(at, PAGE as u32 + 1);
    assert_eq!((a.mem().r64(at, 8), a.mem().r64(at + PAGE as u32, 0)), (0, 6), "whole pages alone");
    a.discard(at, 2 * PAGE).unwrap();
    assert_eq!(a.mem().r64(at + PAGE as u32, 0), 0);
}

#[test]
fn code_is_appended_and_read_from_any_thread() {
    let space = CodeSpace::new().unwrap();
    let code = space.code();
    assert_eq!(code.word(0), 0);
    let at = space.append(|at| vec![at, 5, 6]).unwrap();
    assert!(at > 0);
    assert_eq!((code.word(at), code.pair(at + 1), code.word(u32::MAX)), (at, 5 | 6 << 32, 0));
    std::thread::scope(|s| {
        let t = s.spawn(|| space.append(|_| vec![1; 100_000]).unwrap());
        assert_eq!(t.join().unwrap(), at + 3);
    });
    assert_eq!((code.word(at + 100_002), code.word(at + 100_003)), (1, 0));
}
