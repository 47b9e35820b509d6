//! Giving up the rights of the superuser.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// The most bytes that the system may need to tell of a user or a group.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// Who a process is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    user: libc::uid_t,
    group: libc::gid_t,
    /// The user's name, to look up its further groups; none for a number that has no name.
    name: Option<CString>,
}

/// Becomes `user`, or `user:group`, each a name or a number, for good: the process has no other groups than that user's
/// afterwards, cannot go back, and cannot gain rights by running a program. All threads are changed.
///
/// # Errors
/// Who is not known, or what the system does not allow; a process that was told so must not go on.
pub fn become_user(who: &str) -> Result<(), String> {
    let Identity { user, group, name } = identity(who)?;
    let failed = |what: &str| format!("{what}: {}", super::error_text(&io::Error::last_os_error()));
    // SAFETY: these calls take numbers, and pointers that are valid for the call; failure is looked at.
    unsafe {
        if libc::geteuid() == 0 {
            let groups = match &name {
                Some(name) => libc::initgroups(name.as_ptr(), group as _),
                None => libc::setgroups(0, ptr::null()),
            };
            if groups != 0 {
                return Err(failed("setgroups"));
            }
            if libc::setgid(group) != 0 {
                return Err(failed("setgid"));
            }
            if libc::setuid(user) != 0 {
                return Err(failed("setuid"));
            }
        }
        if (libc::getuid(), libc::geteuid()) != (user, user) || (libc::getgid(), libc::getegid()) != (group, group) {
            return Err("only the superuser can become another user".to_owned());
        }
        if user != 0 && libc::setuid(0) == 0 {
            return Err("the superuser's rights can be taken back".to_owned());
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return Err(failed("prctl"));
        }
    }
    Ok(())
}

fn identity(who: &str) -> Result<Identity, String> {
    let (user, group) = match who.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (who, None),
    };
    let (id, own_group, name) = match (user_record(user), user.parse()) {
        (Some((id, group, name)), _) => (id, Some(group), Some(name)),
        (None, Ok(id)) => (id, None, None),
        (None, Err(_)) => return Err(format!("unknown user {user:?}")),
    };
    let group = match group {
        Some(group) => match group_record(group) {
            Some(id) => Some(id),
            None => Some(group.parse().map_err(|_| format!("unknown group {group:?}"))?),
        },
        None => own_group,
    };
    let group = group.ok_or_else(|| format!("user {user:?} has no name and needs a group"))?;
    Ok(Identity { user: id, group, name })
}

/// A user's id, group and name, where the system knows that name.
fn user_record(name: &str) -> Option<(libc::uid_t, libc::gid_t, CString)> {
    let name = CString::new(name).ok()?;
    // SAFETY: all pointers are valid for the call, and the buffer has the size told.
    let record = look_up(|record: *mut libc::passwd, buffer, bytes, found| unsafe {
        libc::getpwnam_r(name.as_ptr(), record, buffer, bytes, found)
    })?;
    Some((record.pw_uid, record.pw_gid, name))
}

/// A group's id.
fn group_record(name: &str) -> Option<libc::gid_t> {
    let name = CString::new(name).ok()?;
    // SAFETY: as for users.
    let record = look_up(|record: *mut libc::group, buffer, bytes, found| unsafe {
        libc::getgrnam_r(name.as_ptr(), record, buffer, bytes, found)
    })?;
    Some(record.gr_gid)
}

/// Calls one of the functions that fill a record with the help of a buffer, with a larger one each time it says that it
/// needs that. Only the numbers of the record are of use then: its pointers go into the buffer.
fn look_up<R>(call: impl Fn(*mut R, *mut libc::c_char, libc::size_t, *mut *mut R) -> libc::c_int) -> Option<R> {
    let mut buffer: Vec<libc::c_char> = vec![0; 1024];
    loop {
        let mut record = MaybeUninit::<R>::uninit();
        let mut found = ptr::null_mut();
        let code = call(record.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found);
        if code == libc::ERANGE && buffer.len() < RECORD_BYTES_MAX {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        if code != 0 || found.is_null() {
            return None;
        }
        // SAFETY: the call says that it has found the record, and so has filled it.
        return Some(unsafe { record.assume_init() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_name_and_by_number() {
        let root = Identity { user: 0, group: 0, name: Some(c"root".to_owned()) };
        assert_eq!(identity("root"), Ok(root.clone()));
        assert_eq!(identity("root:0"), Ok(root.clone()));
        assert_eq!(identity("root:root"), Ok(root));
        assert_eq!(identity("root:7"), Ok(Identity { user: 0, group: 7, name: Some(c"root".to_owned()) }));
        assert_eq!(identity("12345:7"), Ok(Identity { user: 12345, group: 7, name: None }));
    }

    #[test]
    fn who_is_not_there_is_told() {
        for (who, expected) in [
            ("nobody-at-all", "unknown user \"nobody-at-all\""),
            ("", "unknown user \"\""),
            ("-1:0", "unknown user \"-1\""),
            ("root:nobody-at-all", "unknown group \"nobody-at-all\""),
            ("root:", "unknown group \"\""),
            ("12345", "user \"12345\" has no name and needs a group"),
        ] {
            assert_eq!(identity(who).unwrap_err(), expected, "{who}");
        }
    }
}
