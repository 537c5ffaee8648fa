use std::fs;

use serde_json::{Value, json};

/// A process of the sandbox, as `/proc` has it.
pub struct Process {
    pub pid: i32,
    pub parent: i32,
    pub session: i32,
    pub state: char,
    /// Clock ticks since boot.
    pub started: u64,
}

/// All but init.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return vec![];
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != 1)
        .filter_map(read)
        .collect()
}

fn read(pid: i32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses; what follows it cannot.
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(Process {
        pid,
        parent,
        session,
        state,
        started,
    })
}

pub fn to_json() -> Value {
    let list: Vec<Value> = all()
        .iter()
        .map(|process| {
            let path = fs::read_link(format!("/proc/{}/exe", process.pid));
            json!({
                "inside_pid": process.pid,
                "parent": process.parent,
                "path": path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
                "state": process.state.to_string(),
            })
        })
        .collect();
    json!({ "ok": true, "processes": list })
}
