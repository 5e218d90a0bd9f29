//! The response as a filter sees it.

use crate::bindings::imports::sluicegate::filter::types;
use crate::decision::Header;
use crate::testing::TestResponse;

/// A read-only view of the response head on its way back to the client.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Host(&'a types::Response),
    Test(&'a TestResponse),
}

impl<'a> Response<'a> {
    #[doc(hidden)]
    pub fn from_host(response: &'a types::Response) -> Self {
        Self(Source::Host(response))
    }

    pub(crate) fn from_test(response: &'a TestResponse) -> Self {
        Self(Source::Test(response))
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        match self.0 {
            Source::Host(response) => response.status(),
            Source::Test(response) => response.status,
        }
    }

    /// The first value of a header, where it is UTF-8.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = match self.0 {
            Source::Host(response) => response.header(name),
            Source::Test(response) => response.headers.first(name),
        };
        String::from_utf8(value?).ok()
    }

    /// All values of a header, in order.
    pub fn header_values(&self, name: &str) -> Vec<Vec<u8>> {
        match self.0 {
            Source::Host(response) => response.header_values(name),
            Source::Test(response) => response.headers.all(name),
        }
    }

    /// All headers, in order, with names in lower case.
    pub fn headers(&self) -> Vec<Header> {
        match self.0 {
            Source::Host(response) => response.headers(),
            Source::Test(response) => response.headers.list(),
        }
    }
}
