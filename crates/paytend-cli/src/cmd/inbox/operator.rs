//! Identifies the user who runs a command, for the audit log.

/// Returns the user who runs the command.
///
/// The user ID comes from the operating system. `SUDO_USER` is included only if root runs the command, because any
/// other user can set the variable to any value.
#[cfg(unix)]
pub(crate) fn operator() -> String {
    let user = rustix::process::getuid().as_raw();
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| user == 0);
    describe(user, sudo.as_deref())
}

#[cfg(not(unix))]
pub(crate) fn operator() -> String {
    format!("user {}", std::env::var("USERNAME").unwrap_or_else(|_| "unknown".to_owned()))
}

#[cfg(unix)]
fn describe(user: u32, sudo: Option<&str>) -> String {
    // Names over 64 bytes and names with control characters are left out.
    let plain = |name: &&str| !name.is_empty() && name.len() <= 64 && !name.contains(char::is_control);
    match sudo.filter(plain) {
        Some(name) => format!("uid {user}, sudo user {name}"),
        None => format!("uid {user}"),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn user_comes_from_the_system() {
        let user = rustix::process::getuid().as_raw();
        assert!(operator().starts_with(&format!("uid {user}")), "{}", operator());
        assert_eq!(describe(0, Some("alice")), "uid 0, sudo user alice");
        assert_eq!(describe(0, Some("a\nb")), "uid 0");
        assert_eq!(describe(1000, None), "uid 1000");
    }
}
