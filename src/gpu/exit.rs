//! How a process that has used a GPU ends.

/// Ends the process, when it exits, before what a driver has registered for then. NVIDIA's keeps threads that may still
/// use what its own clean-up takes away: a segmentation fault on some exits, after everything has been dropped and all
/// output written (gfx-rs/wgpu issue 8365). Nothing is lost: the system takes back what a process held. To be called
/// whenever a driver may have been loaded, for what is registered last runs first.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn before_the_driver() {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
        fn _exit(status: c_int) -> !;
    }

    extern "C" fn end(status: c_int, _: *mut c_void) {
        // SAFETY: it takes any number and does not return.
        unsafe { _exit(status) }
    }

    // SAFETY: `end` lives as long as the program, and its argument is not used.
    unsafe { on_exit(end, std::ptr::null_mut()) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn before_the_driver() {}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use std::process::Command;

    unsafe extern "C" {
        fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }

    extern "C" fn crash() {
        std::process::abort();
    }

    /// Runs in a child process, because it changes how the process exits.
    #[test]
    fn what_was_registered_before_does_not_run() {
        if std::env::var_os("DRIFTSCOPE_EXITS").is_some() {
            // SAFETY: `crash` lives as long as the program.
            unsafe { atexit(crash) };
            super::before_the_driver();
            std::process::exit(7);
        }
        let this = "gpu::exit::tests::what_was_registered_before_does_not_run";
        let mut process = Command::new(std::env::current_exe().unwrap());
        let status = process.args([this, "--exact"]).env("DRIFTSCOPE_EXITS", "").status().unwrap();
        assert_eq!(status.code(), Some(7), "{status}");
    }
}
