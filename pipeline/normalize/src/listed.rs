//! One object, or a list of them, bare or below a key: how most vendors' JSON records are built.
//!
//! ```text
//! {…}                     one element, at the record itself
//! [{…},{…}]               two, at /0 and /1
//! {"messages":[{…},{…}]}  two, at /messages/0 and /messages/1
//! ```
//! The record is read whole before the first element is emitted.

use crate::draft::{Elements, Place};
use crate::emit::Emitter;
use crate::json::{Cursor, Syntax};

/// The elements of a list and its path; `None` where the record is one object.
pub(crate) type Listed<T> = Option<(&'static str, Elements<T>)>;

/// Reads a list of objects by `field`; `set_damaged` marks what is no object.
pub(crate) fn objects<'a, T: Default>(
    cursor: &mut Cursor<'a>,
    into: &mut Elements<T>,
    field: impl Fn(&mut Cursor<'a>, &str, &mut T) -> Result<(), Syntax>,
    set_damaged: impl Fn(&mut T),
) -> Result<(), Syntax> {
    cursor.array(|cursor| {
        let mut element = T::default();
        if !cursor.object_or_skip(|cursor, key| field(cursor, key, &mut element))? {
            set_damaged(&mut element);
        }
        into.push(element);
        Ok(())
    })
}

/// The elements below a path; a key that stands twice adds to them, so none is lost.
pub(crate) fn below<'l, T>(listed: &'l mut Listed<T>, path: &'static str) -> &'l mut Elements<T> {
    &mut listed.get_or_insert_with(|| (path, Elements::default())).1
}

/// Hands every element to `emit` with its place, or the one object; an empty list is ignored.
pub(crate) fn emit_each<T>(
    listed: &Listed<T>,
    single: &T,
    out: &mut Emitter<'_>,
    emit: impl Fn(&T, Place<'_>, &mut Emitter<'_>),
) {
    let Some((parent, elements)) = listed else {
        return emit(single, Place { parent: "", at: None }, out);
    };
    if elements.len() == 0 {
        out.ignored("empty");
    }
    for (at, element) in elements.iter().enumerate() {
        emit(element, Place { parent, at: Some(at) }, out);
    }
}
