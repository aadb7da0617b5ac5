use super::*;

/// An empty directory of a test, in one that is this user's.
fn directory(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("wgrad-pipelines-{}-{name}", process::id()));
    let _ = fs::remove_dir_all(&path);
    path
}

/// As long as what is kept must be.
fn data() -> Vec<u8> {
    (0..2 * EMPTY).map(|k| (k * 37 % 251) as u8).collect()
}

#[test]
fn what_was_written_is_read() {
    let path = directory("read");
    let files = PipelineFiles::at(path.clone());
    assert_eq!(files.read(7), None);
    files.write(7, &data());
    assert_eq!(files.read(7), Some(data()));
    assert_eq!(files.read(8), None);
    // Another process finds it; a second pipeline under this key replaces the first.
    let files = PipelineFiles::at(path.clone());
    files.write(7, &data()[1..]);
    assert_eq!(files.read(7).as_deref(), Some(&data()[1..]));
    // Nothing but that file stays behind.
    let names: Vec<_> = fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [format!("{:032x}.bin", 7)[..].as_ref() as &std::ffi::OsStr]);
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn drivers_that_return_only_headers_leave_no_files() {
    let path = directory("empty");
    let files = PipelineFiles::at(path.clone());
    files.write(7, &data()[..EMPTY]);
    assert!(!path.exists());
}

#[test]
fn damaged_files_are_not_read() {
    let path = directory("damaged");
    let files = PipelineFiles::at(path.clone());
    files.write(7, &data());
    let file = files.file(7);
    let whole = fs::read(&file).unwrap();
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0x10;
        fs::write(&file, bytes).unwrap();
        assert_eq!(files.read(7), None, "byte {position} is wrong");
        fs::write(&file, &whole[..position]).unwrap();
        assert_eq!(files.read(7), None, "cut after {position} bytes");
    }
    fs::write(&file, [&whole[..], &[0]].concat()).unwrap();
    assert_eq!(files.read(7), None, "one byte more");
    // A length that no memory holds, of a file that has it on paper only.
    let mut vast = whole.clone();
    vast[16..24].copy_from_slice(&(1u64 << 40).to_le_bytes());
    fs::write(&file, &vast).unwrap();
    File::options().write(true).open(&file).unwrap().set_len(HEADER as u64 + (1 << 40)).unwrap();
    assert_eq!(files.read(7), None, "2^40 bytes");
    fs::write(&file, &whole).unwrap();
    assert_eq!(files.read(7), Some(data()));
    fs::remove_dir_all(path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_directory_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let path = directory("shared");
    let files = PipelineFiles::at(path.clone());
    files.write(7, &data());
    // Both are made for this user alone.
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(files.file(7)).unwrap().mode() & 0o777, 0o600);
    for mode in [0o770, 0o707, 0o720, 0o702] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let files = PipelineFiles::at(path.clone());
        assert_eq!(files.read(7), None, "mode {mode:o}");
        files.write(8, &data());
        assert!(!files.file(8).exists(), "mode {mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(PipelineFiles::at(path.clone()).read(7), Some(data()));
    let link = directory("link");
    symlink(&path, &link).unwrap();
    assert_eq!(PipelineFiles::at(link.clone()).read(7), None);
    fs::remove_file(link).unwrap();
    fs::remove_dir_all(path).unwrap();
}

#[test]
fn the_oldest_files_go_when_there_are_too_many() {
    let path = directory("full");
    let files = PipelineFiles::at(path.clone());
    files.write(0, &data());
    // Four files of a third of the limit each: only the newest fits into half of it.
    for key in 1..=4 {
        let file = File::create(files.file(key)).unwrap();
        file.set_len(MOST_OF_ALL / 3).unwrap();
        let age = std::time::Duration::from_secs(1000 * key as u64);
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + age).unwrap();
    }
    PipelineFiles::at(path.clone()).write(9, &data());
    let left: Vec<Key> = (0..=9).filter(|&key| files.file(key).exists()).collect();
    assert_eq!(left, [0, 4, 9]);
    fs::remove_dir_all(path).unwrap();
}
