//! A dump of MySQL: the rows of its INSERT statements. Other statements are passed over.

use std::collections::BTreeMap;
use std::io::BufRead;

use crate::{Error, Result};

/// Bytes of one value. Above it: an error.
const VALUE_BYTES: usize = 1024 * 1024;
/// Values of one row. Above it: an error.
const COLUMNS: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    /// As it is written: a number, mostly.
    Word(String),
    Text(String),
}

impl Value {
    pub fn number(&self) -> Option<u64> {
        match self {
            Value::Word(word) | Value::Text(word) => word.parse().ok(),
            Value::Null => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Word(_) | Value::Null => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(u8),
}

/// The columns of CIM's tables, for dumps whose INSERT statements do not name them.
fn columns(table: &str) -> &'static [&'static str] {
    match table {
        "offline_msg" => {
            &["id", "message_id", "receive_user_id", "content", "message_type", "status", "created_at", "properties"]
        }
        "offline_msg_last_send_record" => &["receive_user_id", "last_message_id", "updated_at"],
        _ => &[],
    }
}

/// Calls `each` with the table and each of its rows.
pub fn rows(from: impl BufRead, place: &str, mut each: impl FnMut(&str, &BTreeMap<String, Value>)) -> Result<()> {
    let mut tokens = Tokens { from, place, line: 1, next: None };
    while let Some(token) = tokens.next()? {
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("insert") || word.eq_ignore_ascii_case("replace") => {
                insert(&mut tokens, &mut each)?;
            }
            Token::Sign(b';') => {}
            _ => tokens.pass_statement()?,
        }
    }
    Ok(())
}

fn insert<R: BufRead>(tokens: &mut Tokens<'_, R>, each: &mut impl FnMut(&str, &BTreeMap<String, Value>)) -> Result<()> {
    let mut table = String::new();
    let mut named: Vec<String> = Vec::new();
    loop {
        match tokens.some()? {
            Token::Word(word) if word.eq_ignore_ascii_case("values") => break,
            Token::Word(word) if ["into", "ignore", "delayed"].iter().any(|it| word.eq_ignore_ascii_case(it)) => {}
            // Behind the name of a database and a point stands the table.
            Token::Word(word) => table = word,
            Token::Sign(b'.') => {}
            Token::Sign(b'(') => loop {
                match tokens.some()? {
                    Token::Word(word) if named.len() < COLUMNS => named.push(word),
                    Token::Sign(b',') => {}
                    Token::Sign(b')') => break,
                    _ => return Err(tokens.wrong("these are no columns of a table")),
                }
            },
            Token::Sign(b';') => return Ok(()),
            _ => return Err(tokens.wrong("this INSERT is not understood: dump with mysqldump")),
        }
    }
    let known = columns(&table).iter().map(|name| (*name).to_owned());
    let names: Vec<String> = if named.is_empty() { known.collect() } else { named };
    loop {
        match tokens.some()? {
            Token::Sign(b'(') => {}
            Token::Sign(b',') => continue,
            Token::Sign(b';') => return Ok(()),
            _ => return Err(tokens.wrong("these are no rows of values: dump with mysqldump")),
        }
        let values = values(tokens)?;
        let row = names.iter().cloned().zip(values).collect();
        each(&table, &row);
    }
}

fn values<R: BufRead>(tokens: &mut Tokens<'_, R>) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    let mut value = Value::Null;
    loop {
        match tokens.some()? {
            Token::Word(word) if word.eq_ignore_ascii_case("null") => value = Value::Null,
            Token::Word(word) => value = Value::Word(word),
            // In front of it the name of a character set may stand.
            Token::Text(text) => value = Value::Text(text),
            Token::Sign(b'-') => {}
            Token::Sign(sign @ (b',' | b')')) => {
                values.push(std::mem::replace(&mut value, Value::Null));
                if values.len() > COLUMNS {
                    return Err(tokens.wrong(format!("a row has at most {COLUMNS} values")));
                }
                if sign == b')' {
                    return Ok(values);
                }
            }
            Token::Sign(_) => return Err(tokens.wrong("this is no value")),
        }
    }
}

struct Tokens<'a, R> {
    from: R,
    place: &'a str,
    line: u64,
    /// A byte that was looked at.
    next: Option<u8>,
}

impl<R: BufRead> Tokens<'_, R> {
    fn wrong(&self, why: impl Into<String>) -> Error {
        Error::invalid(format!("{}:{}", self.place, self.line), why)
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        if let Some(byte) = self.next.take() {
            return Ok(Some(byte));
        }
        let byte = match self.from.fill_buf() {
            Ok(buffer) => buffer.first().copied(),
            Err(error) => return Err(Error::Io { place: self.place.to_owned(), error }),
        };
        if let Some(byte) = byte {
            self.from.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    fn peek(&mut self) -> Result<Option<u8>> {
        let byte = self.byte()?;
        self.next = byte;
        Ok(byte)
    }

    fn some(&mut self) -> Result<Token> {
        self.next()?.ok_or_else(|| self.wrong("the dump ends within a statement"))
    }

    fn next(&mut self) -> Result<Option<Token>> {
        loop {
            let Some(byte) = self.byte()? else { return Ok(None) };
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'#' => self.pass_line()?,
                b'-' if self.peek()? == Some(b'-') => self.pass_line()?,
                b'/' if self.peek()? == Some(b'*') => self.pass_comment()?,
                b'\'' | b'"' => return self.quoted(byte).map(Token::Text).map(Some),
                b'`' => return self.quoted(byte).map(Token::Word).map(Some),
                byte if is_word(byte) => return self.word(byte).map(Some),
                byte => return Ok(Some(Token::Sign(byte))),
            }
        }
    }

    fn word(&mut self, first: u8) -> Result<Token> {
        let mut bytes = vec![first];
        while let Some(byte) = self.peek()?.filter(|byte| is_word(*byte) || *byte == b'.') {
            // A point belongs to a number only.
            if byte == b'.' && !first.is_ascii_digit() {
                break;
            }
            self.next = None;
            self.push(&mut bytes, byte)?;
        }
        Ok(Token::Word(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn quoted(&mut self, quote: u8) -> Result<String> {
        let mut bytes = Vec::new();
        loop {
            let byte = self.byte()?.ok_or_else(|| self.wrong("a quote has no end"))?;
            let byte = match byte {
                b'\\' if quote != b'`' => match self.byte()?.ok_or_else(|| self.wrong("a quote has no end"))? {
                    b'0' => 0,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'Z' => 26,
                    other => other,
                },
                byte if byte == quote => {
                    if self.peek()? != Some(quote) {
                        break;
                    }
                    self.next = None;
                    quote
                }
                byte => byte,
            };
            self.push(&mut bytes, byte)?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn push(&self, bytes: &mut Vec<u8>, byte: u8) -> Result<()> {
        if bytes.len() >= VALUE_BYTES {
            return Err(self.wrong(format!("a value has at most {VALUE_BYTES} bytes")));
        }
        bytes.push(byte);
        Ok(())
    }

    fn pass_line(&mut self) -> Result<()> {
        while self.byte()?.is_some_and(|byte| byte != b'\n') {}
        Ok(())
    }

    fn pass_comment(&mut self) -> Result<()> {
        self.next = None;
        let mut last = 0;
        while let Some(byte) = self.byte()? {
            if (last, byte) == (b'*', b'/') {
                return Ok(());
            }
            last = byte;
        }
        Ok(())
    }

    fn pass_statement(&mut self) -> Result<()> {
        while let Some(token) = self.next()? {
            if token == Token::Sign(b';') {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}
