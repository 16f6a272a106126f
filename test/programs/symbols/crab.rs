// Rust for the symbolizer: generics, closures, iterators, methods of structs and traits, all inlined into each other.
use std::collections::{BTreeMap, HashMap};
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(i64),
    Word(String),
    Open,
    Close,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Reader { text: text.as_bytes(), at: 0 }
    }

    #[inline]
    fn take_while<F: Fn(u8) -> bool>(&mut self, wanted: F) -> &'a [u8] {
        let start = self.at;
        while self.at < self.text.len() && wanted(self.text[self.at]) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.take_while(|c| c.is_ascii_whitespace());
        let first = *self.text.get(self.at)?;
        Some(match first {
            b'(' | b')' => {
                self.at += 1;
                if first == b'(' { Token::Open } else { Token::Close }
            }
            b'0'..=b'9' => {
                let digits = self.take_while(|c| c.is_ascii_digit());
                Token::Number(std::str::from_utf8(digits).unwrap().parse().unwrap_or(0))
            }
            _ => {
                let word = self.take_while(|c| !c.is_ascii_whitespace() && c != b'(' && c != b')');
                Token::Word(String::from_utf8_lossy(word).into_owned())
            }
        })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Number(n) => write!(out, "{n}"),
            Token::Word(word) => write!(out, "{word}"),
            Token::Open => write!(out, "("),
            Token::Close => write!(out, ")"),
        }
    }
}

fn count<K: Ord + Clone, I: Iterator<Item = K>>(items: I) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

fn main() {
    let text = std::env::args().skip(1).collect::<Vec<_>>().join(" ") + " (add 1 2 (mul 3 40)) words (and words)";
    let tokens: Vec<Token> = Reader::new(&text).collect();
    let words = count(tokens.iter().filter_map(|t| match t {
        Token::Word(word) => Some(word.clone()),
        _ => None,
    }));
    let numbers = count(tokens.iter().filter_map(|t| if let Token::Number(n) = t { Some(*n) } else { None }));
    let lengths: HashMap<usize, Vec<&String>> = words.keys().fold(HashMap::new(), |mut map, word| {
        map.entry(word.len()).or_insert_with(Vec::new).push(word);
        map
    });
    let printed: Vec<String> = tokens.iter().map(|t| t.to_string()).collect();
    println!("{} {:?} {:?} {}", printed.join(" "), words, numbers, lengths.len());
}
