//! a
#[derive(Debug)]
pub struct CurrentRequest;
#[derive(Debug)]
pub struct CurrentResponse;
