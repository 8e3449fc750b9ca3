//! The handler with nothing around it: what every ratio is taken to.

use crate::{
    app::{App, app},
    origin::Origin,
};

pub(super) fn build(origin: &Origin) -> Box<dyn App> {
    app(origin.router())
}
