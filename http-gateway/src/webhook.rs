//! w
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod payload;
pub(crate) mod scale;
pub(crate) mod sheet;
pub(crate) mod translate;
