use std::collections::{BTreeMap, HashMap};
use std::mem::offset_of;

use libc::{seccomp_data, sock_filter};
use syscalls::Sysno;

use super::profile::{Argument, Comparison, Entry, Profile};
use crate::error::{Result, WallError};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: (&str, u32) = ("SCMP_ARCH_X86_64", 0xc000_003e);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: (&str, u32) = ("SCMP_ARCH_AARCH64", 0xc000_00b7);

/// x32 calls come with the architecture of x86-64 and this bit.
const X32: u32 = 0x4000_0000;
/// BPF_MAXINSNS.
const LONGEST: usize = 4096;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JUMP: u16 = 0x05; // BPF_JMP | BPF_JA
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_GREATER: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Calls of one number, in the profile's order; the first whose arguments match decides.
type Rules<'a> = Vec<(&'a [Argument], u32)>;

/// The whole filter: architecture, x32, a binary search by number, then arguments.
pub fn program(profile: &Profile) -> Result<Vec<sock_filter>> {
    check_architecture(profile)?;
    let default = action(&profile.default_action, profile.default_errno_ret)?;
    let numbered = by_number(profile, default)?;
    let unknown = errno(libc::ENOSYS);
    let mut code = vec![
        load(offset_of!(seccomp_data, arch) as u32),
        test(IF_EQUAL, ARCHITECTURE.1, 1, 0),
        give(unknown),
        load(offset_of!(seccomp_data, nr) as u32),
    ];
    if cfg!(target_arch = "x86_64") {
        code.extend([test(IF_AT_LEAST, X32, 0, 1), give(unknown)]);
    }
    search(&ranges(&numbered, default), &mut code);
    if code.len() > LONGEST {
        return Err(bad(format!(
            "the filter has {} steps, and the kernel takes {LONGEST}",
            code.len()
        )));
    }
    Ok(code)
}

fn check_architecture(profile: &Profile) -> Result<()> {
    match &profile.architectures {
        Some(named) if !named.iter().any(|name| name == ARCHITECTURE.0) => {
            Err(bad(format!("does not name {}", ARCHITECTURE.0)))
        }
        _ => Ok(()),
    }
}

fn by_number<'a>(profile: &'a Profile, default: u32) -> Result<BTreeMap<u32, Rules<'a>>> {
    let known: HashMap<&str, u32> = Sysno::iter()
        .map(|call| (call.name(), call.id() as u32))
        .collect();
    let mut numbered: BTreeMap<u32, Rules<'a>> = BTreeMap::new();
    for entry in &profile.syscalls {
        let result = action(&entry.action, entry.errno_ret)?;
        check_arguments(entry)?;
        for name in &entry.names {
            // Others are another architecture's, or newer than this build: the default action stands.
            if let Some(number) = known.get(name.as_str()) {
                numbered
                    .entry(*number)
                    .or_default()
                    .push((&entry.args, result));
            }
        }
    }
    for rules in numbered.values_mut() {
        // An entry without arguments decides all that come after it, and one that says the default says nothing.
        if let Some(last) = rules.iter().position(|(arguments, _)| arguments.is_empty()) {
            rules.truncate(last + 1);
        } else {
            rules.push((&[], default));
        }
    }
    Ok(numbered)
}

fn check_arguments(entry: &Entry) -> Result<()> {
    match entry.args.iter().find(|argument| argument.index > 5) {
        Some(argument) => Err(bad(format!(
            "{}: a call has no argument {}",
            entry.names.join(", "),
            argument.index
        ))),
        None => Ok(()),
    }
}

fn action(name: &str, errno_ret: Option<u16>) -> Result<u32> {
    Ok(match name {
        "SCMP_ACT_ALLOW" => libc::SECCOMP_RET_ALLOW,
        "SCMP_ACT_ERRNO" => errno(i32::from(errno_ret.unwrap_or(libc::EPERM as u16))),
        "SCMP_ACT_KILL_PROCESS" => libc::SECCOMP_RET_KILL_PROCESS,
        "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => libc::SECCOMP_RET_KILL_THREAD,
        "SCMP_ACT_TRAP" => libc::SECCOMP_RET_TRAP,
        _ => {
            return Err(bad(format!("action {name} is not supported")).hint(
                "use SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_ACT_KILL_PROCESS or SCMP_ACT_TRAP",
            ));
        }
    })
}

fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (number as u32 & libc::SECCOMP_RET_DATA)
}

/// What happens to the calls from `first` up to the next range.
struct Range<'a> {
    first: u32,
    rules: &'a [(&'a [Argument], u32)],
    /// Where no rule matches, or there is none.
    result: u32,
}

/// Neighbours that are decided alike are one: most of a filter is a few long ranges.
fn ranges<'a>(numbered: &'a BTreeMap<u32, Rules<'a>>, default: u32) -> Vec<Range<'a>> {
    let mut list = vec![plain(0, default)];
    let mut put = |range: Range<'a>| {
        let last: &Range = list.last().expect("it is never empty");
        if !range.rules.is_empty() || !last.rules.is_empty() || range.result != last.result {
            if last.first == range.first {
                list.pop();
            }
            list.push(range);
        }
    };
    for (number, rules) in numbered {
        // The last rule has no arguments.
        let (conditional, result) = match rules.split_last() {
            Some(((_, result), conditional)) => (conditional, *result),
            None => continue,
        };
        put(Range {
            first: *number,
            rules: conditional,
            result,
        });
        if !numbered.contains_key(&(number + 1)) {
            put(plain(number + 1, default));
        }
    }
    list
}

fn plain<'a>(first: u32, result: u32) -> Range<'a> {
    Range {
        first,
        rules: &[],
        result,
    }
}

/// A binary search; its code ends in a decision for each number.
fn search(ranges: &[Range], code: &mut Vec<sock_filter>) {
    if let [range] = ranges {
        for (arguments, result) in range.rules {
            rule(arguments, *result, code);
        }
        code.push(give(range.result));
        return;
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let mut first = Vec::new();
    search(low, &mut first);
    match u8::try_from(first.len()) {
        Ok(over) => code.push(test(IF_AT_LEAST, high[0].first, over, 0)),
        // Too far for a condition.
        Err(_) => code.extend([
            test(IF_AT_LEAST, high[0].first, 0, 1),
            jump(first.len() as u32),
        ]),
    }
    code.append(&mut first);
    search(high, code);
}

/// Gives `result` where all arguments match, else goes on behind.
fn rule(arguments: &[Argument], result: u32, code: &mut Vec<sock_filter>) {
    let mut body = Vec::new();
    // Built from the end, so that each comparison knows how far the next rule is.
    let mut tail = vec![give(result)];
    for argument in arguments.iter().rev() {
        body.clear();
        compare(argument, tail.len() as u8, &mut body);
        body.append(&mut tail);
        tail = std::mem::take(&mut body);
    }
    code.append(&mut tail);
}

/// Falls through where the argument matches, else jumps over `rest` more steps. A 64-bit value is two words.
fn compare(argument: &Argument, rest: u8, code: &mut Vec<sock_filter>) {
    let at = offset_of!(seccomp_data, args) as u32 + u32::from(argument.index) * 8;
    let (low, high) = (load(at), load(at + 4));
    let (low_of, high_of) = (|value: u64| value as u32, |value: u64| (value >> 32) as u32);
    let value = argument.value;
    let (l, h) = (low_of(value), high_of(value));
    match argument.op {
        Comparison::Equal => code.extend([
            high,
            test(IF_EQUAL, h, 0, rest + 2),
            low,
            test(IF_EQUAL, l, 0, rest),
        ]),
        Comparison::NotEqual => code.extend([
            high,
            test(IF_EQUAL, h, 0, 2),
            low,
            test(IF_EQUAL, l, rest, 0),
        ]),
        Comparison::MaskedEqual => {
            let wanted = argument.value_two & value;
            // A word that the mask leaves out is not looked at.
            let mut steps = vec![low, mask(l), test(IF_EQUAL, low_of(wanted), 0, rest)];
            if h != 0 {
                let over = rest + steps.len() as u8;
                steps.splice(
                    0..0,
                    [high, mask(h), test(IF_EQUAL, high_of(wanted), 0, over)],
                );
            }
            code.extend(steps);
        }
        Comparison::Greater | Comparison::GreaterOrEqual => {
            let last = if argument.op == Comparison::Greater {
                IF_GREATER
            } else {
                IF_AT_LEAST
            };
            code.extend([
                high,
                test(IF_GREATER, h, 3, 0),
                test(IF_EQUAL, h, 0, rest + 2),
                low,
                test(last, l, 0, rest),
            ]);
        }
        Comparison::Less | Comparison::LessOrEqual => {
            let last = if argument.op == Comparison::Less {
                IF_AT_LEAST
            } else {
                IF_GREATER
            };
            code.extend([
                high,
                test(IF_GREATER, h, rest + 3, 0),
                test(IF_EQUAL, h, 0, 2),
                low,
                test(last, l, rest, 0),
            ]);
        }
    }
}

fn load(offset: u32) -> sock_filter {
    step(LOAD, offset, 0, 0)
}

fn mask(value: u32) -> sock_filter {
    step(AND, value, 0, 0)
}

fn jump(over: u32) -> sock_filter {
    step(JUMP, over, 0, 0)
}

fn give(result: u32) -> sock_filter {
    step(RETURN, result, 0, 0)
}

/// Jumps over `yes` steps where the condition holds, over `no` where not.
fn test(condition: u16, value: u32, yes: u8, no: u8) -> sock_filter {
    step(condition, value, yes, no)
}

fn step(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn bad(message: String) -> WallError {
    WallError::new("bad_seccomp_profile", "seccomp profile", message)
}
