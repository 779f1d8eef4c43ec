//! Telling a ministry's platform about certificates (数字证书服务管理平台接入规范): what the service told, in the words of a form.

mod document;
mod folder;
mod form;
mod query;

pub(crate) use document::{answer, report};
pub(crate) use folder::{Folder, Part};
pub(crate) use form::{Form, MAX_LEN as MAX_FORM, SHIPPED};
pub(crate) use query::{Asked, MAX_LEN as MAX_QUERY, read as read_query};
