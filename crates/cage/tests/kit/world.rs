//! A heap beside a plain Rust model of it; random operations act on both, comparisons find what differs.
use crate::kit::*;
use cage::heap::{Heap, Tuning, apply_delta, image_len, image_patches, seal};
use cage::layout::*;
use cage::value::*;
use cage::{Base, Cage, HeapFull, Limits, Mem};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

pub const REGS: u32 = 12;
pub const EXTRA: usize = 3;
const END: u32 = STACK + 8 * REGS;

/// Marks begin often and take many steps.
const TINY: Tuning = Tuning { min_since: 20_000, step_min: 700, step_max: 3000, final_max: 2000, move_max: 40_000 };

/// A model's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum V {
    Undef,
    Tomb,
    Int(i32),
    Ref(usize),
}

/// A model's object: its values (of a table: key, value, key, …), its raw bytes, its shape.
#[derive(Clone, Debug)]
pub struct O {
    kind: u8,
    slots: Vec<V>,
    raw: Vec<u8>,
    shape: Option<usize>,
    /// Where a pinned object was born.
    pin: Option<u32>,
}

#[derive(Clone, Debug)]
pub struct Model {
    objs: Vec<O>,
    root: Vec<V>,
    extra: [V; EXTRA],
}

pub struct World {
    pub cage: Rc<Cage>,
    pub heap: Heap,
    pub image: Vec<u8>,
    pub limits: Limits,
    pub stress: bool,
    rng: Rng,
    m: Model,
    committed: Model,
    regs: Vec<V>,
    extra: [u64; EXTRA],
    extra_committed: [u64; EXTRA],
    /// Whether what is read at a touch is the image of the last commit, not that of the reload.
    follows: bool,
    stored: Arc<Mutex<Vec<u8>>>,
    pub log: Vec<String>,
}

/// The word at which an object's values begin.
fn first(kind: u8) -> u32 {
    if kind == EPH || kind == MIX { 2 } else { 1 }
}

impl World {
    pub fn new(seed: u64, limits: Limits) -> World {
        let cage = Rc::new(Cage::new().unwrap());
        let heap = heap(&cage, limits);
        let m = Model { objs: vec![], root: vec![V::Undef; ROOT_SLOTS as usize], extra: [V::Undef; EXTRA] };
        let image = heap.save(cage.mem());
        let committed = m.clone();
        let (extra, regs) = ([UNDEF; EXTRA], vec![V::Undef; REGS as usize]);
        let rng = Rng::new(seed);
        let mut w = World {
            cage,
            heap,
            image,
            limits,
            stress: false,
            rng,
            m,
            committed,
            regs,
            extra,
            extra_committed: extra,
            follows: false,
            stored: Arc::default(),
            log: vec![],
        };
        w.heap.tune(TINY);
        w.clear_regs();
        w
    }

    fn clear_regs(&mut self) {
        self.heap.use_stack(END);
        for r in 0..REGS {
            self.cage.mem().w64(STACK + 8 * r, 0, UNDEF);
        }
        self.regs.fill(V::Undef);
    }

    fn reg(&self, r: usize) -> u64 {
        self.cage.mem().r64(STACK + 8 * r as u32, 0)
    }

    fn set_reg(&mut self, r: usize, v: u64, m: V) {
        self.heap.use_stack(END);
        self.cage.mem().w64(STACK + 8 * r as u32, 0, v);
        self.regs[r] = m;
    }

    fn pick(&mut self) -> usize {
        self.rng.below(REGS) as usize
    }

    /// A value of some register, or an int.
    fn value(&mut self) -> (u64, V) {
        if self.rng.below(8) == 0 {
            let n = self.rng.below(1000) as i32;
            return (int(n), V::Int(n));
        }
        let r = self.pick();
        (self.reg(r), self.regs[r])
    }

    /// Allocates `kind` with `n` values or bytes into register `d`.
    pub fn alloc(&mut self, kind: u8, n: u32, d: usize, old: bool) -> Result<(), HeapFull> {
        let cage = self.cage.clone();
        let mem = cage.mem();
        let (mut shape, mut shape_at) = (None, 0);
        if kind == REC {
            let r = (0..REGS as usize).find(|r| matches!(self.regs[*r], V::Ref(o) if self.m.objs[o].kind == SHAPE));
            let r = match r {
                Some(r) => r,
                None => {
                    self.alloc(SHAPE, 2, (d + 1) % REGS as usize, false)?;
                    (d + 1) % REGS as usize
                }
            };
            let V::Ref(o) = self.regs[r] else { unreachable!() };
            (shape, shape_at) = (Some(o), self.reg(r) as u32);
        }
        let (words, flags, h_n, h_x) = match kind {
            REC => (n, 0, n as u16, shape_at),
            BOX => (1, 0, 0, 0),
            VEC | WEAK => (n, 0, 0, n),
            TEXT => (n.div_ceil(8), 0, 0, n),
            WIDE => (n.div_ceil(4), 0, 0, n),
            EPH => (1 + 2 * n, 0, 0, 1 + 2 * n),
            SHAPE => (n, PINNED, n as u16, 0),
            MIX => (1 + n, 0, 1, n),
            _ => unreachable!(),
        };
        let bytes = 8 + 8 * words;
        let at = match () {
            _ if kind == SHAPE => self.heap.alloc_pinned(mem, bytes)?,
            _ if old => self.heap.alloc_old(mem, bytes)?,
            _ => self.heap.alloc_native(mem, bytes)?,
        };
        let pin = (kind == SHAPE).then_some(at);
        let mut o = O { kind, slots: vec![], raw: vec![], shape, pin };
        self.heap.write(mem, at, header(kind, flags, h_n, h_x));
        if kind == TEXT || kind == WIDE {
            for i in 1..=words {
                let v = self.rng.next();
                self.heap.write(mem, at + 8 * i, v & !(1 << 63)); // a double: writes of raw words go through the same door
                o.raw.extend_from_slice(&(v & !(1 << 63)).to_le_bytes());
            }
        } else {
            (1..first(kind)).for_each(|i| self.heap.write(mem, at + 8 * i, 0));
            for i in first(kind)..=words {
                let (v, m) = self.value();
                self.heap.write(mem, at + 8 * i, v);
                o.slots.push(m);
            }
        }
        self.m.objs.push(o);
        self.set_reg(d, obj(at), V::Ref(self.m.objs.len() - 1));
        Ok(())
    }

    fn random_alloc(&mut self) -> Result<(), HeapFull> {
        let kind = [REC, REC, BOX, VEC, VEC, TEXT, WIDE, WEAK, EPH, SHAPE, MIX][self.rng.below(11) as usize];
        let n = match self.rng.below(60) {
            0 => self.rng.below(12_000), // large, of several regions
            1..4 => self.rng.below(1500),
            4..10 => self.rng.below(100),
            _ => self.rng.below(6),
        };
        let n = if matches!(kind, SHAPE | REC | EPH) { n % 1000 } else { n };
        let (d, old) = (self.pick(), self.rng.below(10) == 0);
        self.log.push(format!("alloc {kind} {n} -> {d} old={old}"));
        self.alloc(kind, n, d, old)
    }

    fn store(&mut self) {
        let r = self.pick();
        let V::Ref(o) = self.regs[r] else { return };
        let (kind, len) = (self.m.objs[o].kind, self.m.objs[o].slots.len() as u32);
        if len == 0 {
            return;
        }
        let s = self.rng.below(len);
        let cage = self.cage.clone();
        let mem = cage.mem();
        let at = self.reg(r) as u32 + 8 * first(kind);
        let (v, m) = self.value();
        let s = if kind == EPH { s & !1 } else { s };
        self.heap.write(mem, at + 8 * s, v);
        self.m.objs[o].slots[s as usize] = m;
        if kind == EPH {
            let (v, m) = self.value();
            self.heap.write(mem, at + 8 * s + 8, v);
            self.m.objs[o].slots[s as usize + 1] = m;
        }
    }

    fn load(&mut self) {
        let (r, d) = (self.pick(), self.pick());
        let V::Ref(o) = self.regs[r] else { return };
        let len = self.m.objs[o].slots.len() as u32;
        if len > 0 {
            let s = self.rng.below(len);
            let v = self.cage.mem().r64(self.reg(r) as u32 + 8 * (first(self.m.objs[o].kind) + s), 0);
            let m = self.m.objs[o].slots[s as usize];
            self.set_reg(d, v, m);
        }
    }

    fn move_values(&mut self) {
        let (a, b) = (self.pick(), self.pick());
        let (V::Ref(x), V::Ref(y)) = (self.regs[a], self.regs[b]) else { return };
        if self.m.objs[x].kind != VEC || self.m.objs[y].kind != VEC {
            return;
        }
        let n = self.m.objs[x].slots.len().min(self.m.objs[y].slots.len());
        let from = if n > 1 { self.rng.below(2) as usize } else { 0 };
        let n = n - n.min(from);
        let (pa, pb) = (self.reg(a) as u32 + 8 + 8 * from as u32, self.reg(b) as u32 + 8);
        self.heap.copy_values(self.cage.mem(), pa, pb, n as u32);
        let moved = self.m.objs[x].slots[from..from + n].to_vec();
        self.m.objs[y].slots[..n].copy_from_slice(&moved);
    }

    fn root_op(&mut self) {
        let s = self.rng.below(ROOT_SLOTS);
        match self.rng.below(6) {
            0 | 1 => {
                let (v, m) = self.value();
                self.heap.write(self.cage.mem(), root(s), v);
                self.m.root[s as usize] = m;
            }
            2 => {
                self.heap.write(self.cage.mem(), root(s), UNDEF);
                self.m.root[s as usize] = V::Undef;
            }
            3 => {
                let (v, m) = self.value();
                let e = s as usize % EXTRA;
                (self.extra[e], self.m.extra[e]) = (v, m);
            }
            _ => {
                let d = self.pick();
                let v = self.cage.mem().r64(root(s), 0);
                self.set_reg(d, v, self.m.root[s as usize]);
            }
        }
    }

    /// A collection at a safepoint.
    pub fn collect(&mut self) -> Result<(), HeapFull> {
        self.heap.collect(self.cage.mem(), END, &mut self.extra)?;
        self.compare(false);
        Ok(())
    }

    /// Ends the turn and checks that its delta leads to the image.
    pub fn commit(&mut self) -> Result<(), HeapFull> {
        let cage = self.cage.clone();
        let mem = cage.mem();
        self.heap.turn_end(mem, &mut self.extra)?;
        self.clear_regs();
        self.compare(false);
        let mut delta = Vec::new();
        self.heap.delta(mem, &mut delta);
        let mut patched = self.image.clone();
        apply_delta(&mut self.image, &delta).unwrap();
        if !self.leaves_absent() {
            same_bytes(&self.image, &self.heap.save(mem), "delta");
        }
        if self.follows {
            self.stored.lock().unwrap().clone_from(&self.image);
        }
        patched.resize(image_len(&delta).map_or(patched.len(), |n| n as usize), 0);
        image_patches(&delta, |at, bytes| patched[at as usize..][..bytes.len()].copy_from_slice(bytes)).unwrap();
        seal(&mut patched);
        same_bytes(&patched, &self.image, "patches");
        self.committed = self.m.clone();
        self.extra_committed = self.extra;
        Ok(())
    }

    /// Between turns: some marking.
    fn mark(&mut self) -> Result<(), HeapFull> {
        self.commit()?;
        let cage = self.cage.clone();
        for _ in 0..self.rng.below(6) {
            let budget = self.rng.below(3000) as u64;
            self.heap.mark_step(cage.mem(), &mut self.extra, budget)?;
        }
        self.compare(false);
        Ok(())
    }

    pub fn collect_full(&mut self) -> Result<(), HeapFull> {
        let cage = self.cage.clone();
        self.heap.collect_full(cage.mem(), END, &mut self.extra)?;
        self.compare(false);
        // What was young at the first is old at the second, and nothing dead holds it any more.
        self.heap.collect_full(cage.mem(), END, &mut self.extra)?;
        self.compare(true);
        Ok(())
    }

    pub fn rollback(&mut self) {
        let cage = self.cage.clone();
        let mem = cage.mem();
        self.heap.rollback(mem);
        if !self.leaves_absent() {
            same_bytes(&self.image, &self.heap.save(mem), "rollback");
        }
        self.m = self.committed.clone();
        self.extra = self.extra_committed;
        self.clear_regs();
        self.compare(false);
    }

    /// Goes on in another cage, from the image.
    pub fn reload(&mut self) {
        let mut cage = Cage::new().unwrap();
        if cage::touch::is_there() && self.rng.below(2) == 0 {
            self.follows = self.rng.below(2) == 0;
            self.stored = Arc::new(Mutex::new(self.image.clone()));
            let (stored, length) = (self.stored.clone(), self.image.len() as u64);
            let read = Arc::new(move |at: u64, to: &mut [u8]| {
                to.copy_from_slice(&stored.lock().unwrap()[at as usize..][..to.len()]);
                Ok(())
            });
            let empty = Cage::new().unwrap();
            let base = Base::new(&heap(&empty, self.limits).save(empty.mem())).unwrap();
            self.heap = Heap::load_at_touch(&mut cage, &base, length, read, &KINDS, self.limits).unwrap();
        } else {
            self.heap = Heap::load(&cage, &self.image, &KINDS, self.limits).unwrap();
        }
        let cage = Rc::new(cage);
        self.heap.tune(TINY);
        self.heap.set_stress(self.stress);
        self.cage = cage;
        self.m = self.committed.clone();
        self.extra = self.extra_committed;
        self.clear_regs();
        self.compare(false);
    }

    /// Not everything is touched to be compared while something was not touched yet.
    fn leaves_absent(&mut self) -> bool {
        self.cage.absent().is_some_and(|a| a.left() > 0) && self.rng.below(16) != 0
    }

    /// One random step.
    pub fn step(&mut self) {
        let done = match self.rng.below(400) {
            0..140 => self.random_alloc(),
            140..240 => {
                self.store();
                Ok(())
            }
            240..290 => {
                self.load();
                Ok(())
            }
            290..300 => {
                self.move_values();
                Ok(())
            }
            300..370 => {
                self.root_op();
                Ok(())
            }
            370..380 => {
                let r = self.pick();
                self.set_reg(r, UNDEF, V::Undef);
                Ok(())
            }
            380..388 => {
                self.log.push("collect".into());
                self.collect()
            }
            388 => {
                self.log.push("full collection".into());
                self.collect_full()
            }
            389 => {
                self.log.push("request".into());
                self.heap.request_mark();
                Ok(())
            }
            390..392 => {
                self.log.push("mark".into());
                self.mark()
            }
            392..396 => {
                self.log.push("commit".into());
                self.commit()
            }
            396..399 => {
                self.log.push("rollback".into());
                self.rollback();
                Ok(())
            }
            _ => {
                self.log.push("reload".into());
                self.reload();
                Ok(())
            }
        };
        if done.is_err() {
            self.log.push("full".into());
            self.rollback();
        }
    }

    /// What the model holds strongly, tables by their keys.
    fn reachable(&self) -> HashSet<usize> {
        let mut seen = HashSet::new();
        let roots = self.m.root.iter().chain(&self.m.extra).chain(&self.regs);
        let mut work: Vec<V> = roots.copied().collect();
        loop {
            while let Some(v) = work.pop() {
                let V::Ref(id) = v else { continue };
                if !seen.insert(id) {
                    continue;
                }
                let o = &self.m.objs[id];
                work.extend(o.shape.map(V::Ref));
                if o.kind != WEAK && o.kind != EPH {
                    work.extend(&o.slots);
                }
            }
            for id in seen.iter().copied().filter(|id| self.m.objs[*id].kind == EPH) {
                for pair in self.m.objs[id].slots.chunks_exact(2) {
                    let holds = !matches!(pair[0], V::Ref(k) if !seen.contains(&k));
                    if let (true, V::Ref(v)) = (holds, pair[1])
                        && !seen.contains(&v)
                    {
                        work.push(pair[1]);
                    }
                }
            }
            if work.is_empty() {
                return seen;
            }
        }
    }

    /// Walks heap and model side by side. `exact`: nothing dead may be left in weak slots.
    pub fn compare(&mut self, exact: bool) {
        if self.leaves_absent() {
            return;
        }
        self.heap.verify(self.cage.mem()).unwrap();
        let live = self.reachable();
        let cage = self.cage.clone();
        let mem = cage.mem();
        let mut at: HashMap<usize, u64> = HashMap::new();
        let mut back: HashMap<u64, usize> = HashMap::new();
        let mut work: Vec<(u64, V)> = Vec::new();
        work.extend((0..ROOT_SLOTS).map(|i| (mem.r64(root(i), 0), self.m.root[i as usize])));
        work.extend(self.extra.iter().copied().zip(self.m.extra));
        work.extend((0..REGS as usize).map(|r| (self.reg(r), self.regs[r])));
        while let Some((v, m)) = work.pop() {
            let id = match m {
                V::Undef => {
                    assert_eq!(v, UNDEF);
                    continue;
                }
                V::Tomb => {
                    assert_eq!(v, TOMB);
                    continue;
                }
                V::Int(n) => {
                    assert_eq!(v, int(n));
                    continue;
                }
                V::Ref(id) => id,
            };
            assert!(is_obj(v), "object {id} is {v:#x}");
            if let Some(known) = at.insert(id, v) {
                assert_eq!(known, v, "object {id} is in two places");
                continue;
            }
            assert_eq!(back.insert(v, id), None, "two objects at {v:#x}");
            self.compare_object(mem, v as u32, id, &live, exact, &mut work);
        }
    }

    fn compare_object(&mut self, mem: Mem, at: u32, id: usize, live: &HashSet<usize>, exact: bool, work: &mut Vec<(u64, V)>) {
        let o = &mut self.m.objs[id];
        let h = mem.r64(at, 0);
        assert_eq!(h as u8, o.kind, "kind of object {id} at {at:#x}");
        if let Some(pin) = o.pin {
            assert_eq!(pin, at, "pinned object {id} moved");
        }
        if let Some(shape) = o.shape {
            work.push((obj((h >> 32) as u32), V::Ref(shape)));
        }
        for (i, raw) in o.raw.chunks_exact(8).enumerate() {
            assert_eq!(mem.r64(at + 8 + 8 * i as u32, 0).to_le_bytes(), raw, "raw word {i} of object {id}");
        }
        let step = if o.kind == EPH { 2 } else { 1 };
        for i in (0..o.slots.len()).step_by(step) {
            let slot = at + 8 * (first(o.kind) + i as u32);
            let v = mem.r64(slot, 0);
            let weak = o.kind == WEAK || o.kind == EPH;
            if let (true, V::Ref(target)) = (weak, o.slots[i]) {
                if v == TOMB {
                    assert!(!live.contains(&target), "a live weak reference was cleared: {id}.{i} -> {target}");
                    o.slots[i] = V::Tomb;
                    if o.kind == EPH {
                        o.slots[i + 1] = V::Undef;
                    }
                } else {
                    assert!(!exact || live.contains(&target) || !live.contains(&id), "a dead weak reference was left: {id}.{i}");
                }
            }
            work.push((v, o.slots[i]));
            if o.kind == EPH {
                work.push((mem.r64(slot + 8, 0), o.slots[i + 1]));
            }
        }
    }
}

pub fn same_bytes(a: &[u8], b: &[u8], what: &str) {
    if a != b {
        let at = a.iter().zip(b).position(|(x, y)| x != y);
        panic!("{what}: images of {} and {} bytes differ at {at:?}", a.len(), b.len());
    }
}
