//! Tokens of a file, in the few kinds that paths are read from.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

#[derive(PartialEq)]
pub enum Token {
    /// A name or keyword, and its line.
    Word(String, usize),
    /// `::`, which is not two colons.
    Colons,
    Sign(char),
    /// A group in brackets, by the opening one; a space if there are none.
    Group(char, Vec<Token>),
}

impl Token {
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text, _) if text == word)
    }
}

/// `$crate` is `crate`; any other variable of a macro is an unknown name.
pub fn tokens(stream: TokenStream) -> Vec<Token> {
    let mut found = Vec::new();
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let next = trees.peek();
        found.push(match tree {
            TokenTree::Punct(sign) if sign.as_char() == '$' => match next {
                Some(TokenTree::Ident(name)) if name != "crate" => {
                    let line = name.span().start().line;
                    trees.next();
                    Token::Word("$".into(), line)
                }
                _ => continue,
            },
            TokenTree::Punct(sign)
                if (sign.as_char(), sign.spacing()) == (':', Spacing::Joint)
                    && matches!(next, Some(TokenTree::Punct(next)) if next.as_char() == ':') =>
            {
                trees.next();
                Token::Colons
            }
            TokenTree::Punct(sign) => Token::Sign(sign.as_char()),
            TokenTree::Ident(word) => Token::Word(word.to_string(), word.span().start().line),
            TokenTree::Literal(_) => Token::Sign('"'),
            TokenTree::Group(group) => {
                let opening = match group.delimiter() {
                    Delimiter::Brace => '{',
                    Delimiter::Bracket => '[',
                    Delimiter::Parenthesis => '(',
                    Delimiter::None => ' ',
                };
                Token::Group(opening, tokens(group.stream()))
            }
        });
    }
    found
}
