// The project's Rust: a program with a module, and a crate that it depends on.

import { type Place, type Project, unitText } from "./project.js";

const HEAD = `
#![allow(dead_code, unused)]
use dep::black_box;
use std::mem::forget;
`;

const PLACES: readonly Place[] = [
  {
    name: "plain",
    text: `
pub fn NAME() {
    //@before NAME
    forget(vec![1u8; black_box(24)]);
    //@after NAME
    black_box("NAME");
}`,
    call: "NAME();",
  },
  {
    name: "boxed",
    text: `
#[inline(never)]
pub fn NAME() -> &'static mut [u64; 5] {
    //@before NAME
    let kept = Box::leak(Box::new([black_box(7u64); 5]));
    //@after NAME
    black_box("NAME");
    kept
}`,
    call: "black_box(NAME());",
  },
  {
    name: "closure",
    text: `
pub fn NAME() {
    //@before NAME
    call(|| {
        forget(vec![1u8; black_box(24)]);
        black_box("NAME");
    });
    //@after NAME
    call(|| {
        call(|| {
            black_box(Box::leak(Box::new([1u64; 8])));
            black_box("NAME");
        });
        black_box("NAME");
    });
    black_box("NAME");
}`,
    call: "NAME();",
  },
  {
    name: "generic",
    text: `
#[inline(never)]
fn NAME_of<T: Clone>(value: T) {
    //@before NAME
    forget(vec![value; black_box(3)]);
    //@after NAME
    black_box("NAME");
}
pub fn NAME() {
    NAME_of(1u64);
    NAME_of(1u16);
    black_box("NAME");
}`,
    call: "NAME();",
  },
  {
    name: "twins",
    text: `
#[inline(never)]
fn NAME_one() {
    forget(vec![1u8; black_box(48)]);
}
#[inline(never)]
fn NAME_two() {
    forget(vec![1u8; black_box(48)]);
}
pub fn NAME() {
    NAME_one();
    //@before NAME
    NAME_two();
    //@after NAME
    black_box("NAME");
}`,
    call: "NAME();",
  },
  {
    name: "object",
    text: `
trait NAME_Work {
    fn work(&self);
    fn usual(&self) {
        forget(black_box(String::from("what is kept in a string")));
        black_box("NAME");
    }
}
struct NAME_First(u32);
struct NAME_Second;
impl NAME_Work for NAME_First {
    fn work(&self) {
        //@before NAME
        forget(vec![self.0; black_box(6)]);
        //@after NAME
        black_box("NAME");
    }
}
impl NAME_Work for NAME_Second {
    fn work(&self) {
        forget(vec![1u8; black_box(40)]);
        black_box("NAME");
    }
}
impl NAME_Second {
    fn new() -> Box<dyn NAME_Work> {
        Box::new(NAME_Second)
    }
}
pub fn NAME() {
    let all: [Box<dyn NAME_Work>; 2] = [black_box(Box::new(NAME_First(1))), black_box(NAME_Second::new())];
    for each in all.iter() {
        each.work();
        each.usual();
    }
}`,
    call: "NAME();",
  },
  {
    name: "future",
    text: `
async fn NAME_inner(size: usize) {
    //@before NAME
    forget(vec![1u8; black_box(size)]);
    //@after NAME
    black_box("NAME");
}
pub fn NAME() {
    block_on(async {
        NAME_inner(40).await;
        black_box(Box::leak(Box::new(1u64)));
        black_box("NAME");
    });
    black_box("NAME");
}`,
    call: "NAME();",
  },
  {
    name: "dependency",
    text: `
pub fn NAME() {
    //@before NAME
    dep::keep(black_box(24));
    dep::keep_all(black_box(3u32));
    //@after NAME
    dep::with(|size| {
        forget(vec![1u8; size]);
        black_box("NAME");
    });
    black_box("NAME");
}`,
    call: "NAME();",
  },
  {
    name: "thread",
    text: `
pub fn NAME() {
    std::thread::spawn(|| {
        //@before NAME
        forget(vec![1u8; black_box(64)]);
        //@after NAME
        black_box("UNIT");
    })
    .join()
    .unwrap();
}`,
    call: "NAME();",
  },
];

const COMMON = `
use std::future::Future;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

#[inline(never)]
pub fn call<F: Fn()>(f: F) {
    f();
    dep::black_box(());
}

fn nothing() -> RawWaker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(|_| nothing(), |_| {}, |_| {}, |_| {});
    RawWaker::new(std::ptr::null(), &TABLE)
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    let waker = unsafe { Waker::from_raw(nothing()) };
    match future.as_mut().poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!(),
    }
}
`;

const DEPENDENCY = `
#![allow(dead_code, unused)]
use std::mem::forget;

/// The value, of which no optimizer knows anything. What std has is younger than some compilers.
#[inline(always)]
pub fn black_box<T>(value: T) -> T {
    unsafe {
        let copy = std::ptr::read_volatile(&value);
        forget(value);
        copy
    }
}
//@top dep

pub fn keep(size: usize) {
    //@before keep_dep
    forget(vec![1u8; size]);
    //@after keep_dep
    black_box(());
}

pub fn keep_all<T: Clone>(value: T) {
    forget(vec![value; black_box(10)]);
    black_box(());
}

pub fn with<F: Fn(usize)>(f: F) {
    f(black_box(24));
    black_box(());
}

//@end dep
`;

/** Rust. Units are the dependency and the program; the program's modules are found by rustc. */
export function rustProject(): Project {
  const head = `${HEAD.trim()}\nuse crate::common::*;`;
  const caller = (unit: string) => (calls: string) => `pub fn run_${unit}() {\n${calls}}`;
  const main = unitText(
    "r1",
    `${HEAD.trim()}\nmod common;\nmod r2;\nuse common::*;`,
    PLACES,
    (calls) => `fn main() {\n${calls}    r2::run_r2();\n}`,
  );
  const module = unitText("r2", head.replace("#![allow(dead_code, unused)]\n", ""), PLACES, caller("r2"));
  return {
    folder: "project",
    version: "1.2.3",
    files: new Map([
      ["dep/src/lib.rs", DEPENDENCY.trimStart()],
      ["src/main.rs", main],
      ["src/r2.rs", module],
      ["src/common.rs", COMMON.trimStart()],
    ]),
    units: ["dep/src/lib.rs", "src/main.rs"],
    flags: [],
    linking: [],
  };
}
