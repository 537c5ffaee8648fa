//! The forbidden things, tried from inside with the agent's walls: what a person is shown beside the kernel's own words.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::{self, Stdio, Walls};
use crate::error::errno_name;

/// What stands in the place of a program's path where a probe dials. Nothing inside has it.
pub const OWNER: &str = "/.nacre/probe";

/// How long a dial may stay without a byte.
const SILENCE: Duration = Duration::from_millis(700);

/// One try: its name, the wall that it tries, and what happened.
type Probe = (&'static str, &'static str, fn() -> io::Result<String>);

const PROBES: [Probe; 31] = [
    ("write outside the workspace", "files", || {
        create("/usr/nacre-probe")
    }),
    ("write into /etc", "files", || create("/etc/nacre-probe")),
    ("write into the root", "files", || create("/nacre-probe")),
    ("read a folder that no rule gives", "files", || {
        list(crate::mounts::CANARY)
    }),
    ("read the home folder of root", "files", || list("/root")),
    ("read the home folders of the host", "files", || {
        list("/home")
    }),
    ("read the host's shadow file", "files", || {
        read("/etc/shadow")
    }),
    ("write a kernel setting", "files", || {
        open_write("/proc/sys/kernel/core_pattern")
    }),
    ("reach the host's root through init", "files", || {
        list("/proc/1/root/")
    }),
    ("read the environment of init", "credentials", || {
        read("/proc/1/environ")
    }),
    ("read the memory of init", "credentials", || {
        read("/proc/1/mem")
    }),
    ("mount a file system", "syscalls", mount),
    ("trace a process", "syscalls", || {
        call(libc::SYS_ptrace, [libc::PTRACE_TRACEME as i64, 0, 0, 0])
    }),
    ("read the memory of a process", "syscalls", process_vm_readv),
    ("take a descriptor of a process", "syscalls", || {
        call(libc::SYS_pidfd_getfd, [0, 0, 0, 0])
    }),
    ("make a user namespace", "syscalls", || {
        call(libc::SYS_unshare, [libc::CLONE_NEWUSER.into(), 0, 0, 0])
    }),
    ("load a bpf program", "syscalls", || {
        call(libc::SYS_bpf, [0, 0, 0, 0])
    }),
    ("use a kernel keyring", "syscalls", || {
        call(libc::SYS_keyctl, [0, -3, 1, 0])
    }),
    ("set up io_uring", "syscalls", io_uring),
    ("handle page faults", "syscalls", || {
        call(libc::SYS_userfaultfd, [1, 0, 0, 0])
    }),
    ("use a foreign system call", "syscalls", foreign_call),
    ("type into a terminal", "syscalls", || {
        call(libc::SYS_ioctl, [0, libc::TIOCSTI as i64, 0, 0])
    }),
    ("become root", "syscalls", || {
        call(libc::SYS_setuid, [0, 0, 0, 0])
    }),
    ("open a raw socket", "network", || {
        socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)
    }),
    ("open a ping socket", "network", || {
        socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)
    }),
    ("open a packet socket", "network", || {
        socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
    }),
    ("open a vsock", "network", || {
        socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0)
    }),
    ("open a netfilter socket", "network", || {
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)
    }),
    ("send a datagram outside", "network", datagram),
    ("reach the cloud's metadata service", "network", || {
        dial("169.254.169.254:80")
    }),
    ("reach an address that no rule names", "network", || {
        dial("192.0.2.1:443")
    }),
];

/// Enters the walls and tries all. The line for the one who asked. `directory`: the sandbox' own, outside.
pub fn run(walls: &Walls, directory: &str) -> String {
    if let Err(error) = Stdio::nothing().and_then(|stdio| child::enter(walls, &stdio, None)) {
        return error.to_line();
    }
    let mut results: Vec<Value> = PROBES
        .iter()
        .map(|(name, wall, attempt)| result(name, wall, attempt()))
        .collect();
    for (name, socket) in [
        ("command init", "init.sock"),
        ("reach the egress' own socket", "egress.sock"),
    ] {
        let reached = connect(&format!("{directory}/{socket}"));
        results.push(result(name, "credentials", reached));
    }
    json!({ "ok": true, "probes": results }).to_string()
}

fn result(name: &str, wall: &str, attempt: io::Result<String>) -> Value {
    let (refused, detail) = match attempt {
        Ok(reached) => (false, reached),
        Err(error) => (true, said(&error)),
    };
    json!({ "name": name, "wall": wall, "refused": refused, "detail": detail })
}

/// Through the folder's descriptor: a socket's address holds 107 bytes.
fn connect(path: &str) -> io::Result<String> {
    crate::exec::connect(path)?;
    Ok(format!("{path} answered"))
}

fn said(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => errno_name(number),
        None => error.to_string(),
    }
}

fn create(path: &str) -> io::Result<String> {
    File::options().write(true).create_new(true).open(path)?;
    let _ = fs::remove_file(path);
    Ok(format!("{path} was written"))
}

fn open_write(path: &str) -> io::Result<String> {
    File::options().write(true).open(path)?;
    Ok(format!("{path} can be written"))
}

fn read(path: &str) -> io::Result<String> {
    use std::io::Read;
    let mut file = File::open(path)?;
    // Memory that is not mapped at the start is an error of its own: being let in is what counts.
    let _ = file.read(&mut [0; 16]);
    Ok(format!("{path} was opened"))
}

fn list(path: &str) -> io::Result<String> {
    fs::read_dir(path)?;
    Ok(format!("{path} was read"))
}

fn call(number: i64, arguments: [i64; 4]) -> io::Result<String> {
    let [a, b, c, d] = arguments;
    // SAFETY: no argument is a pointer that the kernel would write through.
    let done = unsafe { libc::syscall(number, a, b, c, d, 0, 0) };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok("the kernel did it".to_owned())
    }
}

fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<String> {
    call(
        libc::SYS_socket,
        [family.into(), kind.into(), protocol.into(), 0],
    )
}

fn mount() -> io::Result<String> {
    // SAFETY: all strings end with null.
    let done = unsafe {
        libc::mount(
            c"none".as_ptr(),
            c"/tmp".as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            std::ptr::null(),
        )
    };
    if done == 0 {
        Ok("a tmpfs was mounted".to_owned())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn process_vm_readv() -> io::Result<String> {
    let target = 0_u64;
    let mut copy = 0_u64;
    let local = libc::iovec {
        iov_base: (&raw mut copy).cast(),
        iov_len: 8,
    };
    let remote = libc::iovec {
        iov_base: (&raw const target).cast_mut().cast(),
        iov_len: 8,
    };
    // SAFETY: this process' own memory, of the right length.
    let done = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok("memory was read".to_owned())
    }
}

fn io_uring() -> io::Result<String> {
    let mut parameters = [0_u8; 120]; // struct io_uring_params
    // SAFETY: the kernel writes no more than its struct.
    let done = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    if done < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok("a ring was made".to_owned())
    }
}

/// `getpid` as x32 has it.
fn foreign_call() -> io::Result<String> {
    call(0x4000_0000 | libc::SYS_getpid, [0; 4])
}

fn datagram() -> io::Result<String> {
    // Addresses, never names: a resolver would be most of this binary.
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    let socket = std::net::UdpSocket::bind(any)?;
    socket.send_to(b"probe", SocketAddr::from(([192, 0, 2, 1], 9)))?;
    Ok("a datagram was sent".to_owned())
}

/// A captured connection is made before it is decided, so what counts is that no byte comes back.
fn dial(address: &str) -> io::Result<String> {
    use std::io::{Read, Write};
    let address: SocketAddr = address
        .parse()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut stream = TcpStream::connect_timeout(&address, SILENCE)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    match stream.read(&mut [0; 1]) {
        Ok(0) => Err(io::Error::other("closed without a byte")),
        Ok(_) => Ok(format!("{address} answered")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other("no byte came"))
        }
        Err(error) => Err(error),
    }
}
