use std::borrow::Cow;
use std::fmt::Display;
use std::io;

use serde::Serialize;

/// Why a wall could not be built, as a person can act on it: the parts of a `NacreError`.
#[derive(Debug, Clone, Serialize)]
pub struct WallError {
    /// Stable, machine-readable: `snake_case`.
    pub code: Cow<'static, str>,
    /// The thing that it is about: `mount /usr`, `network wall`.
    pub subject: String,
    pub message: String,
    /// The smallest fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

pub type Result<T> = std::result::Result<T, WallError>;

impl WallError {
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        subject: impl Display,
        message: impl Display,
    ) -> Self {
        WallError {
            code: code.into(),
            subject: subject.to_string(),
            message: message.to_string(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The parts of one that came over a channel.
    pub fn from_json(parts: &serde_json::Value) -> Self {
        let text = |name: &str| parts[name].as_str().unwrap_or_default().to_owned();
        WallError {
            code: text("code").into(),
            subject: text("subject"),
            message: text("message"),
            hint: parts["hint"].as_str().map(str::to_owned),
        }
    }

    /// For a person: `subject: message (hint)`.
    pub fn to_text(&self) -> String {
        let hint = self.hint.as_ref().map(|hint| format!(" ({hint})"));
        format!(
            "{}: {}{}",
            self.subject,
            self.message,
            hint.unwrap_or_default()
        )
    }

    /// For a person at a terminal, as `nacre` words its own errors.
    pub fn to_report(&self) -> String {
        let fix = self.hint.as_ref().map(|hint| format!("\n  fix: {hint}"));
        format!(
            "error: {}: {}{}",
            self.subject,
            self.message,
            fix.unwrap_or_default()
        )
    }

    /// `{"ok":false,"error":{…}}`
    pub fn to_line(&self) -> String {
        serde_json::json!({ "ok": false, "error": self }).to_string()
    }
}

/// Gives a system's error its thing and its code.
pub trait Because<T> {
    fn because(self, code: &'static str, subject: impl Display) -> Result<T>;
}

impl<T, E: Into<io::Error>> Because<T> for std::result::Result<T, E> {
    fn because(self, code: &'static str, subject: impl Display) -> Result<T> {
        self.map_err(|error| WallError::new(code, subject, describe(&error.into())))
    }
}

/// `Permission denied (EACCES)`.
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(number) => {
            let said = text.split(" (os error").next().unwrap_or(&text);
            format!("{said} ({})", errno_name(number))
        }
        None => text,
    }
}

/// The symbolic name of an error number: `EACCES`.
pub fn errno_name(number: i32) -> String {
    syscalls::Errno::new(number)
        .name()
        .map_or_else(|| number.to_string(), str::to_owned)
}
