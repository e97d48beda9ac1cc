//! The canary: tells process 1 of its sandbox that it was executed, waits for a nod, exits with 0.
//!
//! Compiled by the build script without any library, static, so that it runs whatever the target's
//! environment, libraries, folder and descriptors are. It prints nothing and reads nothing of its own:
//! the other end looks at `/proc` for its name, arguments and parents.
#![no_std]
#![no_main]

use core::arch::{asm, global_asm};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit()
}

#[cfg(target_arch = "x86_64")]
mod calls {
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const SETSOCKOPT: usize = 54;
    pub const RECVFROM: usize = 45;
    pub const EXIT_GROUP: usize = 231;
}

#[cfg(target_arch = "aarch64")]
mod calls {
    pub const SOCKET: usize = 198;
    pub const CONNECT: usize = 203;
    pub const SETSOCKOPT: usize = 208;
    pub const RECVFROM: usize = 207;
    pub const EXIT_GROUP: usize = 94;
}

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "and rsp, -16", "call {main}", "ud2", main = sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, xzr", "mov x30, xzr", "bl {main}", "brk 1", main = sym start);

/// `struct sockaddr_un` with the path of `CANARY_DIR` and the socket's name in it.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 8],
}

extern "C" fn start() -> ! {
    const AF_UNIX: usize = 1;
    const SOCK_STREAM: usize = 1;
    const SOL_SOCKET: usize = 1;
    const SO_RCVTIMEO: usize = 20;
    let address = Address { family: 1, path: *b"/slv/.s\0" };
    let patience: [i64; 2] = [2, 0];
    let mut nod = [0_u8; 1];
    // SAFETY: plain system calls; every pointer is to a local that lives over its call, with its own size.
    unsafe {
        let socket = call(calls::SOCKET, [AF_UNIX, SOCK_STREAM, 0, 0, 0, 0]);
        if socket >= 0 {
            let socket = socket as usize;
            call(calls::SETSOCKOPT, [socket, SOL_SOCKET, SO_RCVTIMEO, patience.as_ptr() as usize, 16, 0]);
            if call(calls::CONNECT, [socket, &raw const address as usize, size_of::<Address>(), 0, 0, 0]) == 0 {
                call(calls::RECVFROM, [socket, nod.as_mut_ptr() as usize, 1, 0, 0, 0]);
            }
        }
    }
    exit()
}

fn exit() -> ! {
    loop {
        // SAFETY: ends the process.
        unsafe {
            call(calls::EXIT_GROUP, [0; 6]);
        }
    }
}

/// # Safety
/// The arguments must be what the system call `number` expects.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel changes only rax, rcx and r11, and memory that the caller vouched for.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") args[0], in("rsi") args[1],
            in("rdx") args[2], in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _);
    }
    result
}

/// # Safety
/// The arguments must be what the system call `number` expects.
#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel changes only x0, and memory that the caller vouched for.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") args[0] => result, in("x1") args[1],
            in("x2") args[2], in("x3") args[3], in("x4") args[4], in("x5") args[5]);
    }
    result
}

/// The compiler may turn a copy into a call of this, and there is no library that has it.
///
/// # Safety
/// As C's `memcpy`: both ranges valid for `length` bytes and not overlapping.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    let mut i = 0;
    while i < length {
        // SAFETY: within both ranges; volatile, so that the loop is not turned into a call of itself.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
        i += 1;
    }
    to
}
