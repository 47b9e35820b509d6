//! What the tables have in common: how the value of an option of a usual kind is put in and read back.

pub(super) use super::{Effect, Group, Reload, Spec};
pub(super) use crate::config::value::{Kind, Value};
use std::ops::RangeInclusive;
pub(super) use std::path::PathBuf;
pub(super) use std::time::Duration;

/// What most entries have in common: an optional text.
pub(super) const COMMON: Spec = Spec {
    flags: &[],
    keys: &[],
    kind: Kind::Text,
    operand: "",
    default: "",
    stands_for_default: None,
    reload: Reload::Never,
    group: Group::Server,
    help: "",
    effect: Effect::Help,
};

/// A switch in the file and perhaps on the command line.
macro_rules! switch {
    ($($($field:ident).+),+) => {
        Effect::Set {
            set: |options, value| {
                let on = value.switch()?;
                $(options.$($field).+ = on;)+
                Ok(())
            },
            get: |options| Some(Value::Switch($(options.$($field).+)&&+)),
        }
    };
}

/// A whole number in a range.
macro_rules! number {
    ($field:ident, $range:expr) => {
        Effect::Set {
            set: |options, value| {
                options.$field = within(stringify!($field), value, $range)? as _;
                Ok(())
            },
            get: |options| Some(Value::Integer(options.$field as i64)),
        }
    };
}

/// A length of time.
macro_rules! time {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                let time = value.duration()?;
                if time < TIME_MIN {
                    return Err(format!("{} must be 1ms or more", stringify!($field)));
                }
                options.$field = time;
                Ok(())
            },
            get: |options| Some(Value::Duration(options.$field)),
        }
    };
}

/// A text; an empty one is none.
macro_rules! text {
    ($field:ident) => {
        Effect::Set {
            set: |options, value| {
                options.$field = Some(value.text()?).filter(|text| !text.is_empty());
                Ok(())
            },
            get: |options| options.$field.clone().map(Value::Text),
        }
    };
}

/// The name of a file or folder; an empty one is none.
macro_rules! place {
    ($($field:ident).+) => {
        Effect::Set {
            set: |options, value| {
                options.$($field).+ = Some(PathBuf::from(value.text()?)).filter(|path| !path.as_os_str().is_empty());
                Ok(())
            },
            get: |options| options.$($field).+.as_ref().map(|path| Value::Text(path.to_string_lossy().into_owned())),
        }
    };
}

pub(super) use {number, place, switch, text, time};

/// The number in `value` when `range` holds it; the error calls it `name`.
pub(super) fn within(name: &str, value: Value, range: RangeInclusive<i64>) -> Result<i64, String> {
    let number = value.integer()?;
    if range.contains(&number) {
        return Ok(number);
    }
    Err(format!("{name} must be between {} and {}, not {number}", range.start(), range.end()))
}

/// The number in `value`, of which less than none is none.
pub(in crate::config) fn count(name: &str, value: Value) -> Result<u32, String> {
    Ok(within(name, value, i64::MIN..=BYTES_MAX)?.max(0) as u32)
}

/// The shortest length of time an option can ask for: timers count milliseconds.
pub(in crate::config) const TIME_MIN: Duration = Duration::from_millis(1);

/// The largest number of bytes an option can ask for, as with the official server.
pub(super) const BYTES_MAX: i64 = i32::MAX as i64;
