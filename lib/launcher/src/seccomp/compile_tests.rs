use libc::{seccomp_data, sock_filter};
use serde_json::{Value, json};

use super::compile::program;
use super::profile::Profile;

const X86_64: u32 = 0xc000_003e;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number as u32
}

/// What the kernel would do: classic BPF, the steps that the compiler uses.
fn run(code: &[sock_filter], data: &seccomp_data) -> u32 {
    // SAFETY: plain data without padding.
    let bytes: [u8; size_of::<seccomp_data>()] = unsafe { std::mem::transmute_copy(data) };
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let step = code[at];
        at += 1;
        let over = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
        match step.code {
            0x20 => {
                let word = &bytes[step.k as usize..step.k as usize + 4];
                value = u32::from_ne_bytes(word.try_into().unwrap());
            }
            0x54 => value &= step.k,
            0x05 => at += step.k as usize,
            0x15 => at += over(value == step.k),
            0x25 => at += over(value > step.k),
            0x35 => at += over(value >= step.k),
            0x06 => return step.k,
            other => panic!("no step {other:#x}"),
        }
    }
}

fn profile(value: Value) -> Profile {
    serde_json::from_value(value).unwrap()
}

fn decide(profile: &Profile, number: i64, args: [u64; 6]) -> u32 {
    let data = seccomp_data {
        nr: number as i32,
        arch: X86_64,
        instruction_pointer: 0,
        args,
    };
    run(&program(profile).unwrap(), &data)
}

fn one(op: &str, value: u64, two: u64) -> Profile {
    profile(json!({
        "defaultAction": "SCMP_ACT_KILL_PROCESS",
        "syscalls": [{
            "names": ["ioctl"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{ "index": 1, "op": op, "value": value, "valueTwo": two }],
        }],
    }))
}

#[test]
fn compares_all_64_bits_of_an_argument() {
    let numbers = [
        0,
        1,
        4,
        5,
        6,
        0xffff_ffff,
        1 << 32,
        (1 << 32) + 5,
        (5 << 32) + 5,
        u64::MAX,
    ];
    for value in numbers {
        for given in numbers {
            let cases: [(&str, bool); 6] = [
                ("SCMP_CMP_EQ", given == value),
                ("SCMP_CMP_NE", given != value),
                ("SCMP_CMP_LT", given < value),
                ("SCMP_CMP_LE", given <= value),
                ("SCMP_CMP_GE", given >= value),
                ("SCMP_CMP_GT", given > value),
            ];
            for (op, holds) in cases {
                let wanted = if holds { ALLOW } else { KILL };
                let got = decide(&one(op, value, 0), libc::SYS_ioctl, [0, given, 0, 0, 0, 0]);
                assert_eq!(got, wanted, "{given:#x} {op} {value:#x}");
            }
        }
    }
}

#[test]
fn a_mask_chooses_the_bits() {
    for (mask, two) in [
        (0xffff_ffff, 5),
        (1 << 40, 1 << 40),
        (0xff_0000_00ff, 0x12_0000_0034),
    ] {
        for given in [
            5,
            (1 << 40) | 5,
            0x12_0000_0034,
            0x12_ffff_ff34,
            0x13_0000_0034,
            (7 << 32) | 5,
        ] {
            let wanted = if given & mask == two { ALLOW } else { KILL };
            let profile = one("SCMP_CMP_MASKED_EQ", mask, two);
            let got = decide(&profile, libc::SYS_ioctl, [0, given, 0, 0, 0, 0]);
            assert_eq!(got, wanted, "{given:#x} & {mask:#x} == {two:#x}");
        }
    }
}

#[test]
fn all_arguments_of_an_entry_must_match_and_any_entry_may() {
    let profile = profile(json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            { "names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
                { "index": 0, "op": "SCMP_CMP_EQ", "value": 2 }, { "index": 2, "op": "SCMP_CMP_NE", "value": 1 },
            ] },
            { "names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97, "args": [
                { "index": 0, "op": "SCMP_CMP_EQ", "value": 17 },
            ] },
            { "names": ["socket", "getpid"], "action": "SCMP_ACT_ALLOW", "args": [
                { "index": 0, "op": "SCMP_CMP_EQ", "value": 1 },
            ] },
        ],
    }));
    let socket =
        |domain, protocol| decide(&profile, libc::SYS_socket, [domain, 9, protocol, 0, 0, 0]);
    assert_eq!(socket(2, 0), ALLOW);
    assert_eq!(socket(2, 1), errno(libc::EPERM));
    assert_eq!(socket(17, 0), errno(97));
    assert_eq!(socket(1, 1), ALLOW);
    assert_eq!(socket(3, 0), errno(libc::EPERM));
    assert_eq!(
        decide(&profile, libc::SYS_getpid, [0; 6]),
        errno(libc::EPERM)
    );
    assert_eq!(
        decide(&profile, libc::SYS_getppid, [1; 6]),
        errno(libc::EPERM)
    );
}

#[test]
fn every_number_finds_its_own_rule() {
    let names: Vec<&str> = syscalls::Sysno::iter().map(|call| call.name()).collect();
    let entries: Vec<Value> = names
        .iter()
        .enumerate()
        .map(|(number, name)| json!({ "names": [name], "action": "SCMP_ACT_ERRNO", "errnoRet": number + 1 }))
        .collect();
    let all = profile(json!({ "defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": entries }));
    for (number, call) in syscalls::Sysno::iter().enumerate() {
        assert_eq!(
            decide(&all, call.id().into(), [0; 6]),
            errno(number as i32 + 1),
            "{call}"
        );
    }
    assert_eq!(decide(&all, 100_000, [0; 6]), KILL);
    assert_eq!(decide(&all, -1, [0; 6]), errno(libc::ENOSYS));
}

#[test]
#[cfg(target_arch = "x86_64")]
fn foreign_calls_do_not_exist() {
    let all = profile(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [] }));
    let x32 = 0x4000_0000 | libc::SYS_getpid;
    assert_eq!(decide(&all, x32, [0; 6]), errno(libc::ENOSYS));
    let i386 = seccomp_data {
        nr: 20,
        arch: 0x4000_0003,
        instruction_pointer: 0,
        args: [0; 6],
    };
    assert_eq!(run(&program(&all).unwrap(), &i386), errno(libc::ENOSYS));
}

#[test]
fn a_profile_that_cannot_be_meant_is_refused() {
    let refused = |value: Value| program(&profile(value)).unwrap_err().message.clone();
    let syscalls = json!([]);
    assert!(
        refused(json!({ "defaultAction": "SCMP_ACT_LOG", "syscalls": syscalls }))
            .contains("SCMP_ACT_LOG")
    );
    let foreign = json!({ "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_S390X"], "syscalls": syscalls });
    assert!(refused(foreign).contains("does not name"));
    let seventh = json!([{ "names": ["read"], "action": "SCMP_ACT_ALLOW",
        "args": [{ "index": 6, "op": "SCMP_CMP_EQ", "value": 0 }] }]);
    assert!(
        refused(json!({ "defaultAction": "SCMP_ACT_ERRNO", "syscalls": seventh }))
            .contains("no argument 6")
    );
}

fn shipped(text: &str) -> Profile {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_agents_profile_refuses_what_must_be_refused() {
    let agent = shipped(include_str!("../../../../policies/seccomp/agent.json"));
    let refused = |number, args| decide(&agent, number, args) != ALLOW;
    for number in [
        libc::SYS_ptrace,
        libc::SYS_bpf,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_userfaultfd,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_pidfd_getfd,
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_open_tree,
        libc::SYS_move_mount,
        libc::SYS_fsopen,
        libc::SYS_fsmount,
        libc::SYS_mount_setattr,
        libc::SYS_perf_event_open,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
        libc::SYS_open_by_handle_at,
        libc::SYS_fanotify_init,
        libc::SYS_syslog,
        libc::SYS_reboot,
        libc::SYS_swapon,
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_modify_ldt,
        libc::SYS_clock_settime,
        libc::SYS_sethostname,
        libc::SYS_kcmp,
        libc::SYS_quotactl,
        libc::SYS_acct,
        libc::SYS_kexec_file_load,
        libc::SYS_delete_module,
        libc::SYS_settimeofday,
        libc::SYS_clock_adjtime,
        libc::SYS_swapoff,
        libc::SYS_setdomainname,
        libc::SYS_name_to_handle_at,
        libc::SYS_fsconfig,
        libc::SYS_fspick,
        libc::SYS_process_madvise,
        libc::SYS_process_mrelease,
        libc::SYS_move_pages,
        libc::SYS_migrate_pages,
        libc::SYS_mbind,
        libc::SYS_set_mempolicy,
        libc::SYS_vhangup,
        libc::SYS_uselib,
        libc::SYS_sysfs,
        libc::SYS_quotactl_fd,
        libc::SYS_fanotify_mark,
        libc::SYS_memfd_secret,
        libc::SYS_lookup_dcookie,
    ] {
        assert!(refused(number, [0; 6]), "{number}");
    }
    assert_eq!(
        decide(&agent, libc::SYS_clone3, [0; 6]),
        errno(libc::ENOSYS)
    );
    // Every new namespace; threads and processes are fine.
    for bit in [
        0x2_0000,
        0x200_0000,
        0x400_0000,
        0x800_0000,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
    ] {
        assert!(refused(libc::SYS_clone, [bit | 17, 0, 0, 0, 0, 0]));
    }
    assert!(!refused(libc::SYS_clone, [0x3d_0f00, 0, 0, 0, 0, 0]));
    // TIOCSTI and TIOCLINUX, however the upper half is filled: the kernel looks at 32 bits.
    for upper in [0, 1 << 32, 0xffff_ffff_u64 << 32] {
        assert!(refused(libc::SYS_ioctl, [0, upper | 0x5412, 0, 0, 0, 0]));
        assert!(refused(libc::SYS_ioctl, [0, upper | 0x541c, 0, 0, 0, 0]));
    }
    for number in [
        0,
        0x5401,
        0x5410,
        0x5411,
        0x5413,
        0x541b,
        0x541d,
        0x5421,
        0x802c_542a,
        0xffff_ffff_802c_542a,
    ] {
        assert!(
            !refused(libc::SYS_ioctl, [0, number, 0, 0, 0, 0]),
            "{number:#x}"
        );
    }
}

#[test]
fn the_agents_profile_makes_only_sockets_that_go_through_the_capture() {
    let agent = shipped(include_str!("../../../../policies/seccomp/agent.json"));
    let may = |domain, kind, protocol| {
        decide(&agent, libc::SYS_socket, [domain, kind, protocol, 0, 0, 0]) == ALLOW
    };
    let flags = 0o4000 | 0o2_000_000; // SOCK_NONBLOCK | SOCK_CLOEXEC
    for domain in [2, 10] {
        assert!(
            may(domain, 1, 0)
                && may(domain, 1 | flags, 6)
                && may(domain, 2, 0)
                && may(domain, 2 | flags, 17)
        );
        // Raw, ping, ICMPv6, UDP-Lite, DCCP, SCTP, MPTCP.
        for (kind, protocol) in [
            (3, 1),
            (3, 0),
            (2, 1),
            (2, 58),
            (2, 136),
            (6, 33),
            (5, 132),
            (1, 132),
            (1, 262),
        ] {
            assert!(!may(domain, kind, protocol), "{domain} {kind} {protocol}");
        }
        // The kernel looks at 32 bits.
        assert!(!may(domain, (1 << 32) | 3, 1));
    }
    assert!(may(1, 1, 0) && may(1, 2, 0) && may(1, 5 | flags, 0));
    assert!(may(16, 3 | flags, 0));
    for protocol in [2, 4, 9, 11, 12, 15, 16] {
        assert!(!may(16, 3, protocol), "netlink {protocol}");
    }
    for domain in [17, 31, 38, 40, 44, 29, 9, 39] {
        assert!(
            !may(domain, 1, 0) && !may(domain, 3, 0) && !may((1 << 32) | domain, 3, 0),
            "{domain}"
        );
    }
}

#[test]
fn the_egress_profile_makes_threads_and_no_process() {
    let egress = shipped(include_str!("../../../../policies/seccomp/egress.json"));
    let may = |number, first| decide(&egress, number, [first, 0, 0, 0, 0, 0]) == ALLOW;
    assert!(may(libc::SYS_clone, 0x3d_0f00)); // what a C library's thread is
    assert!(!may(libc::SYS_clone, 17));
    assert!(!may(libc::SYS_fork, 0) && !may(libc::SYS_vfork, 0) && !may(libc::SYS_execveat, 0));
    assert!(!may(libc::SYS_ptrace, 0) && !may(libc::SYS_io_uring_setup, 0));
}
