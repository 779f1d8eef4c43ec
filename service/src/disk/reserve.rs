//! The reserve: a file beside the database that takes up room for real, until there is no other.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, OFlags, fallocate},
    io::Errno,
    process::geteuid,
};

use super::Reserve;

/// Octets that are written at a time where a file system does not allocate without.
const CHUNK: usize = 64 * 1024;

/// Where the reserve is, and how large.
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// In octets; 0 for none.
    pub(super) size: u64,
}

impl Place {
    /// What stands there. What is left of a reserve that was not laid whole, or has another size, goes; what is not a
    /// file of ours alone is left as it is, and nothing is laid.
    pub(super) fn find(&self) -> io::Result<Reserve> {
        let absent = if self.size == 0 { Reserve::Off } else { Reserve::Absent };
        let found = match fs::symlink_metadata(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(absent),
            Err(error) => return Err(error),
        };
        let ours = found.is_file() && found.nlink() == 1 && found.uid() == geteuid().as_raw();
        if !ours {
            return Ok(Reserve::Obstructed);
        }
        // Blocks of 512 octets, whatever those of the file system are: with fewer it has holes.
        if self.size > 0 && found.len() == self.size && found.blocks() * 512 >= self.size {
            if found.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(&self.path, Permissions::from_mode(0o600))?;
            }
            return Ok(Reserve::Laid);
        }
        self.give_up()?;
        Ok(absent)
    }

    /// Takes up the room, or leaves nothing behind.
    pub(super) fn lay(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let mut file = options.open(&self.path)?;
        let laid = allocate(&mut file, self.size).and_then(|()| file.sync_all());
        let laid = laid.and_then(|()| self.flush_folder());
        if laid.is_err() {
            // The failure is what is told.
            let _ = fs::remove_file(&self.path);
        }
        laid
    }

    /// Gives the room back.
    pub(super) fn give_up(&self) -> io::Result<()> {
        fs::remove_file(&self.path)?;
        // The room is back without it; a full disk may not even take a flush.
        let _ = self.flush_folder();
        Ok(())
    }

    fn flush_folder(&self) -> io::Result<()> {
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// Allocates blocks, not only a length.
fn allocate(file: &mut File, size: u64) -> io::Result<()> {
    match fallocate(&*file, FallocateFlags::empty(), 0, size) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => fill(file, size),
        allocated => Ok(allocated?),
    }
}

/// For file systems that do not allocate without writing. Random octets take up room where zeros are compressed.
fn fill(file: &mut File, size: u64) -> io::Result<()> {
    let mut left = size;
    let mut chunk = vec![0; CHUNK];
    while left > 0 {
        getrandom::fill(&mut chunk).map_err(io::Error::other)?;
        let next = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        file.write_all(&chunk[..next])?;
        left -= next as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const SIZE: u64 = 1024 * 1024;

    fn place(directory: &Path, size: u64) -> Place {
        Place { path: directory.join("healthcard.db.reserve"), size }
    }

    #[test]
    fn it_takes_up_room_for_its_owner_alone_and_gives_it_back() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = place(directory.path(), SIZE);
        assert_eq!(reserve.find().unwrap(), Reserve::Absent);
        reserve.lay().unwrap();
        let laid = fs::metadata(&reserve.path).unwrap();
        assert_eq!((laid.len(), laid.mode() & 0o777), (SIZE, 0o600));
        assert!(laid.blocks() * 512 >= SIZE, "it has holes: {} blocks", laid.blocks());
        fs::set_permissions(&reserve.path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(reserve.find().unwrap(), Reserve::Laid);
        assert_eq!(fs::metadata(&reserve.path).unwrap().mode() & 0o777, 0o600);
        assert!(reserve.lay().is_err(), "what is there is not written over");
        reserve.give_up().unwrap();
        assert_eq!(reserve.find().unwrap(), Reserve::Absent);
    }

    #[test]
    fn what_is_not_whole_goes_and_what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = place(directory.path(), SIZE);
        // One with holes, and one of another size.
        File::create(&reserve.path).unwrap().set_len(SIZE).unwrap();
        assert_eq!(reserve.find().unwrap(), Reserve::Absent);
        assert!(!reserve.path.exists());
        reserve.lay().unwrap();
        assert_eq!(place(directory.path(), 2 * SIZE).find().unwrap(), Reserve::Absent);
        assert!(!reserve.path.exists());
        reserve.lay().unwrap();
        assert_eq!(place(directory.path(), 0).find().unwrap(), Reserve::Off);
        assert!(!reserve.path.exists());

        let precious = directory.path().join("precious");
        fs::write(&precious, "records").unwrap();
        symlink(&precious, &reserve.path).unwrap();
        assert_eq!(reserve.find().unwrap(), Reserve::Obstructed);
        assert!(reserve.lay().is_err());
        fs::remove_file(&reserve.path).unwrap();
        fs::hard_link(&precious, &reserve.path).unwrap();
        assert_eq!(reserve.find().unwrap(), Reserve::Obstructed);
        assert_eq!(fs::read(&precious).unwrap(), b"records");
        fs::remove_file(&reserve.path).unwrap();
        fs::create_dir(&reserve.path).unwrap();
        assert_eq!(reserve.find().unwrap(), Reserve::Obstructed);
    }

    #[test]
    fn where_nothing_is_allocated_without_writing_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("filled");
        let size = SIZE + 1;
        fill(&mut File::create(&path).unwrap(), size).unwrap();
        let filled = fs::read(&path).unwrap();
        assert_eq!(filled.len() as u64, size);
        let (first, second) = filled[..2 * CHUNK].split_at(CHUNK);
        assert!(first != second && first.iter().any(|octet| *octet != 0));
    }
}
