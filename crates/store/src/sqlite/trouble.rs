//! What can go wrong in the database, and what the store says about it.

use aegis_model::port::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why a piece of work inside a transaction was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The store refuses; the transaction is sound.
    Refused(StoreError),
    /// A refused batch has written beside others that hold; all must begin again apart.
    Entangled,
    /// The database failed; the transaction must be given up.
    Database(rusqlite::Error),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// A violated constraint or a value of the wrong type can only come from a row that was
/// altered: every statement checks before it writes. The statement alone is undone by
/// SQLite, so the transaction stays sound.
impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        if is_constraint(&error) || is_bad_value(&error) {
            return Self::Refused(told(error));
        }
        Self::Database(error)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(error) => error,
            Trouble::Entangled => StoreError::Unavailable("a batch was entangled with others".to_owned()),
            Trouble::Database(error) => told(error),
        }
    }
}

/// What the store answers for an error of the database.
pub(super) fn told(error: rusqlite::Error) -> StoreError {
    if is_bad_value(&error) || is_constraint(&error) || is_corrupt(&error) {
        return StoreError::Tampered(error.to_string());
    }
    if is_full(&error) {
        return StoreError::Full;
    }
    StoreError::Unavailable(error.to_string())
}

pub(super) fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// A shared-memory file that cannot grow is a full disk too.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|inner| inner.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull) || extended == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn is_bad_value(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::FromSqlConversionFailure(..) | E::IntegralValueOutOfRange(..) | E::InvalidColumnType(..) | E::Utf8Error(..)
    )
}
