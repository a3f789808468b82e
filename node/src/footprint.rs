//! The memory of a program that waits for a person.

use nix::libc;

/// Gives back the code that only the start needed. The kernel maps 64 KiB around every touched
/// byte of a program, so the command line and the login leave 15 MiB of code in a chat that
/// needs six. A page that is needed again comes from the page cache.
pub fn give_back_code() {
    let program = std::env::current_exe().ok();
    let maps = std::fs::read_to_string("/proc/self/maps").ok();
    let Some((program, maps)) = program.as_deref().and_then(|program| program.to_str()).zip(maps) else { return };
    for (from, to) in maps.lines().filter_map(|line| code_of(line, program)) {
        // SAFETY: the range is a mapping of a file, private and without the permission to write,
        // so its pages hold the bytes of the file, and the next access reads the same bytes.
        #[expect(unsafe_code)]
        unsafe {
            // A refusal leaves everything as it is.
            libc::madvise(std::ptr::with_exposed_provenance_mut(from), to - from, libc::MADV_DONTNEED);
        }
    }
}

/// The range of a line of `/proc/self/maps`, if it is code of this program.
fn code_of(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut words = line.split_whitespace();
    let (range, access, file) = (words.next()?, words.next()?, words.nth(3)?);
    let (from, to) = range.split_once('-')?;
    let range = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    (access == "r-xp" && file == program && range.0 < range.1).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_of_the_program_is_given_back() {
        let line = |access: &str, file: &str| format!("5628-6000 {access} 00ce7000 fe:00 1234    {file}");
        assert_eq!(code_of(&line("r-xp", "/usr/bin/troupe"), "/usr/bin/troupe"), Some((0x5628, 0x6000)));
        // Relocated data, and code of others.
        assert_eq!(code_of(&line("r--p", "/usr/bin/troupe"), "/usr/bin/troupe"), None);
        assert_eq!(code_of(&line("r-xp", "/usr/lib/libc.so.6"), "/usr/bin/troupe"), None);
        assert_eq!(code_of("7fff-8000 rw-p 0 00:00 0", "/usr/bin/troupe"), None);
        assert_eq!(code_of("", "/usr/bin/troupe"), None);
    }

    #[test]
    fn a_program_goes_on_without_its_start() {
        give_back_code();
        assert_eq!(format!("{:>3}", 7), "  7");
    }
}
