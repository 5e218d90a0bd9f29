//! An answer as it came over the wire, taken apart.

use anyhow::{Context, Result, bail};

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status line and the headers, in lower case.
    pub(crate) head: String,
    /// Without the marks of a transfer in chunks.
    pub(crate) body: String,
}

impl Answer {
    /// Takes it apart. An answer that breaks off is an error.
    pub(crate) fn read(text: &str) -> Result<Self> {
        let Some((head, body)) = text.split_once("\r\n\r\n") else { bail!("no whole answer: {text}") };
        let head = head.to_ascii_lowercase();
        let chunked = head.lines().any(|line| line.starts_with("transfer-encoding:") && line.ends_with("chunked"));
        let body = if chunked { unchunked(body).context("its chunks are broken")? } else { body.to_owned() };
        Ok(Self { head, body })
    }

    /// Fails with what came instead unless it has this status.
    pub(crate) fn expect_status(&self, name: &str, status: u16) -> Result<()> {
        if !self.head.starts_with(&format!("http/1.1 {status}")) {
            bail!("{name} answers:\n{}\n\n{}", self.head, self.body);
        }
        Ok(())
    }
}

/// RFC 9112, 7.1, without extensions of chunks that nobody here sends.
fn unchunked(mut rest: &str) -> Result<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").context("a chunk has no size")?;
        let size = usize::from_str_radix(size.trim(), 16).with_context(|| format!("{size} is not a size"))?;
        if size == 0 {
            return Ok(body);
        }
        body.push_str(after.get(..size).context("a chunk is not whole")?);
        rest = after.get(size..).and_then(|rest| rest.strip_prefix("\r\n")).context("a chunk has no end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_put_together() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = Answer::read(&format!("{head}3\r\n{{\"a\r\nA\r\n\": [1, 2]}}\r\n0\r\n\r\n")).unwrap();
        assert_eq!(answer.body, "{\"a\": [1, 2]}");
        assert!(Answer::read(&format!("{head}3\r\nab")).is_err());
    }

    #[test]
    fn another_status_is_shown_with_what_was_said() {
        let answer = Answer::read("HTTP/1.1 502 Bad Gateway\r\nX: y\r\n\r\norder is late").unwrap();
        let error = answer.expect_status("node", 200).unwrap_err().to_string();
        assert!(error.contains("502 bad gateway") && error.contains("order is late"), "{error}");
        answer.expect_status("node", 502).unwrap();
    }
}
