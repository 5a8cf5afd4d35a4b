//! The key ring of the data directory, and the passphrase it may lie under: from a file that is
//! configured, or as somebody typed it. Must not know: what the keys seal.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_adapters::key_ring::{FoundFile, KeyRingError, LocalKeys};
use aegis_identity::{MasterKey, Passphrase};
use aegis_model::Timestamp;
use aegis_model::port::{Clock, Entropy};
use aegis_store::DirectoryLock;
use serde::Deserialize;

use crate::config::{Config, UpOptions};
use crate::data_dir::DataDir;
use crate::start_error::StartError;
use crate::system::{SystemClock, SystemEntropy};

/// The keys of the installation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// The file with the passphrase that the key ring lies under.
    pub passphrase_file: Option<PathBuf>,
    /// What somebody typed who was asked.
    #[serde(skip)]
    pub typed: Option<Passphrase>,
}

impl KeysConfig {
    /// The passphrase, if there is one.
    fn passphrase(&self) -> Result<Option<Passphrase>, StartError> {
        match &self.passphrase_file {
            Some(path) => read_passphrase(path).map(Some),
            None => Ok(self.typed.clone()),
        }
    }
}

/// The keys, as a start finds them.
pub struct OpenKeys {
    /// Opened.
    pub keys: LocalKeys,
    /// Whether their file is of a form that is older than key rings.
    pub is_plain: bool,
}

/// Opens the keys, and makes them if there is no data yet. Whoever calls has the directory to
/// himself. Writes nothing over what is there.
///
/// # Errors
/// When they are missing although there is data, damaged, readable by others, or under another
/// passphrase.
pub fn open(config: &KeysConfig, data: &DataDir) -> Result<OpenKeys, StartError> {
    let file = data.key_ring();
    let found = match file.find() {
        Err(KeyRingError::Missing { .. }) if !data.has_database() => {
            let keys = LocalKeys::create(file, config.passphrase()?.as_ref(), entropy(), now())?;
            return Ok(OpenKeys { keys, is_plain: false });
        }
        found => found?,
    };
    if config.passphrase_file.is_some() && !found.is_sealed() {
        return Err(StartError::PassphraseUnused { path: file.path().to_owned() });
    }
    let is_plain = found.is_plain();
    Ok(OpenKeys { keys: open_found(found, config)?, is_plain })
}

fn open_found(found: FoundFile, config: &KeysConfig) -> Result<LocalKeys, StartError> {
    let passphrase = if found.is_sealed() { config.passphrase()? } else { None };
    Ok(LocalKeys::open(found, passphrase.as_ref(), entropy(), now())?)
}

/// The root of the keys in that directory, for looking only. The configuration is read only if
/// there is a passphrase to be found.
pub fn root(options: &UpOptions, data: &DataDir) -> Result<MasterKey, StartError> {
    let found = data.key_ring().find()?;
    let config = if found.is_sealed() { Config::load(options)?.keys } else { KeysConfig::default() };
    Ok(open_found(found, &config)?.root())
}

/// Whether the keys lie under a passphrase that is not configured, so that somebody has to be
/// asked for it.
///
/// # Errors
/// When the configuration or the key ring cannot be read.
pub fn asks_passphrase(options: &UpOptions) -> Result<bool, StartError> {
    let directory = match &options.data_dir {
        Some(directory) => directory.clone(),
        None => Config::load(options)?.data_dir,
    };
    let is_sealed = match DataDir::at(&directory).key_ring().find() {
        Err(KeyRingError::Missing { .. }) => false,
        found => found?.is_sealed(),
    };
    Ok(is_sealed && Config::load(options)?.keys.passphrase_file.is_none())
}

/// Puts the keys of a server that does not run under another passphrase, or under none. Gives
/// the file that they lie in.
///
/// # Errors
/// When the server runs, or the keys cannot be opened or written; they are as they were then.
pub fn change_passphrase(options: &UpOptions, new: Option<&Passphrase>) -> Result<PathBuf, StartError> {
    let config = Config::load(options)?;
    let data = DataDir::at(&config.data_dir);
    let file = data.key_ring();
    // Nothing is made where there is nothing.
    file.find()?;
    let _taken = DirectoryLock::take(data.path())?;
    open_found(file.find()?, &config.keys)?.lock(new)?;
    Ok(file.path().to_owned())
}

/// Reads a passphrase from a file.
///
/// # Errors
/// When it cannot be read, everybody can, or it holds no passphrase.
pub fn read_passphrase(path: &Path) -> Result<Passphrase, StartError> {
    let wrong = |problem: String| StartError::PassphraseFile { path: path.to_owned(), problem };
    let meta = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if meta.mode() & 0o007 != 0 {
        return Err(wrong("everybody can read it: `chmod o=` it, and think about who has seen it".to_owned()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(Passphrase::INPUT_SIZE_MAX_BYTES).unwrap_or_default() + 32);
    let read =
        File::open(path).and_then(|file| file.take(Passphrase::INPUT_SIZE_MAX_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| wrong(error.to_string()))?;
    Passphrase::new(bytes).map_err(|error| wrong(error.to_string()))
}

fn entropy() -> Arc<dyn Entropy> {
    Arc::new(SystemEntropy)
}

fn now() -> Timestamp {
    SystemClock::start().now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aegis_adapters::private_file;
    use std::os::unix::fs::PermissionsExt;

    struct World {
        data: DataDir,
        home: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            Self { data: DataDir::open(&home.path().join("data")).unwrap(), home }
        }

        /// A configuration that names a file with that passphrase.
        fn config(&self, passphrase: Option<&str>) -> KeysConfig {
            let file = passphrase.map(|text| {
                let file = self.home.path().join("passphrase");
                private_file::write(&file, text.as_bytes()).unwrap();
                file
            });
            KeysConfig { passphrase_file: file, typed: None }
        }

        fn bytes(&self) -> Vec<u8> {
            fs::read(self.data.key_ring().path()).unwrap()
        }
    }

    fn root_of(opened: &OpenKeys) -> [u8; 32] {
        opened.keys.root().derive("x")
    }

    #[test]
    fn keys_are_made_once_and_kept_private() {
        for passphrase in [None, Some("correct horse\n")] {
            let world = World::new();
            let config = world.config(passphrase);
            let made = open(&config, &world.data).unwrap();
            let read = open(&config, &world.data).unwrap();
            assert_eq!(root_of(&made), root_of(&read));
            assert_eq!(fs::metadata(world.data.key_ring().path()).unwrap().mode() & 0o777, 0o600);
            fs::set_permissions(world.data.key_ring().path(), fs::Permissions::from_mode(0o640)).unwrap();
            assert!(matches!(open(&config, &world.data), Err(StartError::NotPrivate { .. })));
        }
    }

    #[test]
    fn lost_keys_are_not_replaced_when_there_is_data() {
        let world = World::new();
        fs::write(world.data.path().join("aegis.db"), b"x").unwrap();
        assert!(matches!(open(&world.config(None), &world.data), Err(StartError::MasterKey { .. })));
        assert!(!world.data.key_ring().path().exists());
    }

    #[test]
    fn a_passphrase_that_is_wrong_missing_or_of_no_use_is_told_apart_and_changes_nothing() {
        let world = World::new();
        open(&world.config(Some("correct horse")), &world.data).unwrap();
        let before = world.bytes();
        let wrong = open(&world.config(Some("correct horsf")), &world.data).err().unwrap();
        assert!(matches!(wrong, StartError::PassphraseWrong { .. }) && wrong.exit_code() == 4, "{wrong}");
        let missing = open(&world.config(None), &world.data).err().unwrap();
        assert!(matches!(missing, StartError::PassphraseMissing { .. }) && missing.exit_code() == 2, "{missing}");
        let short = open(&world.config(Some("short")), &world.data).err().unwrap();
        assert!(matches!(short, StartError::PassphraseFile { .. }) && short.exit_code() == 2, "{short}");
        assert_eq!(world.bytes(), before);
        let open_world = World::new();
        open(&open_world.config(None), &open_world.data).unwrap();
        let unused = open(&open_world.config(Some("correct horse")), &open_world.data).err().unwrap();
        assert!(matches!(unused, StartError::PassphraseUnused { .. }), "{unused}");
    }

    #[test]
    fn a_passphrase_that_everybody_can_read_is_none() {
        let world = World::new();
        let config = world.config(Some("correct horse"));
        let file = config.passphrase_file.clone().unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(open(&config, &world.data), Err(StartError::PassphraseFile { .. })));
        assert!(!world.data.key_ring().path().exists(), "no keys are made under what everybody knows");
    }

    #[test]
    fn every_damage_names_the_file_and_is_not_written_over() {
        let world = World::new();
        open(&world.config(None), &world.data).unwrap();
        let whole = world.bytes();
        let mut damages: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            damages.push(flipped);
        }
        for damaged in damages {
            private_file::write(world.data.key_ring().path(), &damaged).unwrap();
            let error = open(&world.config(None), &world.data).err().unwrap();
            assert!(matches!(error, StartError::MasterKey { .. }), "{error}");
            assert!(error.to_string().contains("master.key") && error.to_string().contains("restore it"), "{error}");
            assert_eq!(world.bytes(), damaged);
        }
    }

    #[test]
    fn a_plain_key_goes_on_working_and_is_not_written_over_by_opening_it() {
        let world = World::new();
        private_file::write(world.data.key_ring().path(), &[7; 32]).unwrap();
        let opened = open(&world.config(None), &world.data).unwrap();
        assert!(opened.is_plain);
        assert_eq!(root_of(&opened), MasterKey::new([7; 32]).derive("x"));
        assert_eq!(world.bytes(), [7; 32]);
        opened.keys.keep().unwrap();
        let again = open(&world.config(None), &world.data).unwrap();
        assert!(!again.is_plain);
        assert_eq!(root_of(&again), root_of(&opened));
    }
}
