//! The attribute macros of Ballet. They only rename and call: what a program or a test is stands in the library.

use proc_macro::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ItemFn, Lit, Meta, MetaNameValue, Signature, Token, parse_macro_input};

/// Runs an async `main` as a [`Stage`](https://docs.rs/ballet) on Tokio's multi-thread runtime.
///
/// The function takes nothing or the stage's `ballet::Scope`, and returns `Result<(), ballet::Error>`. SIGINT and
/// SIGTERM end it in phases; the exit code is the curtain's. For budgets of your own, use `ballet::Stage` directly.
///
/// The code that it makes names the crate `ballet`. Where that has another name, as by `dance = { package = "ballet" }` in
/// `Cargo.toml`, add `extern crate dance as ballet;` to the root of the program.
///
/// ```
/// #[ballet::main]
/// async fn main(s: ballet::Scope) -> Result<(), ballet::Error> {
///     s.named("greeter").spawn(async {
///         println!("the curtain rises");
///         Ok(())
///     });
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    if let Err(error) = plain(&arguments, &function).and_then(|()| at_most(1, &function)) {
        return error.to_compile_error().into();
    }
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let scope = sig.inputs.first().map_or_else(|| quote!(_: ::ballet::Scope), |scope| quote!(#scope));
    quote! {
        #(#attrs)* #vis fn #name() -> ::std::process::ExitCode {
            async fn __ballet_body(#scope) #output #block
            ::ballet::__private::main(__ballet_body)
        }
    }
    .into()
}

/// Runs an async test in virtual time, and fails it also when a job is left after its body, when nobody looked at a
/// failure, and when it cannot go on.
///
/// The function takes nothing; it may return what any `#[test]` may return, and with arguments `()` or a `Result`. Needs
/// Ballet's feature `testing`.
///
/// `seeds = 64` runs it in 64 orders of its polls (`ballet::testing::run_seeds`). `cancel_at_every_await` runs it again
/// and again, dropped at each of its yields (`ballet::testing::cancel_at_every_await`). With both, each order is cut at
/// each yield.
///
/// The code that it makes names the crate `ballet`. Where that has another name, as by `dance = { package = "ballet" }` in
/// `Cargo.toml`, add `extern crate dance as ballet;` to the root of the program.
///
/// ```
/// #[ballet::test]
/// async fn an_hour_passes_at_once() {
///     tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
/// }
///
/// #[ballet::test(seeds = 16, cancel_at_every_await)]
/// async fn nothing_is_left_in_any_order_wherever_it_is_cut() {
///     tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let arguments = parse_macro_input!(arguments as TestArguments);
    if let Err(error) = is_plainly_async(&function).and_then(|()| at_most(0, &function)) {
        return error.to_compile_error().into();
    }
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let (returns, run) = match arguments {
        TestArguments { seeds: None, cuts: false } => {
            let run = quote!(::ballet::testing::run(::core::stringify!(#name), async #block));
            (quote!(#output), run)
        }
        TestArguments { seeds: None, cuts: true } => {
            let cut = quote!(::ballet::testing::cancel_at_every_await(__ballet_body));
            (quote!(#output), quote!(::ballet::testing::run(::core::stringify!(#name), #cut)))
        }
        TestArguments { seeds: Some(seeds), cuts: false } => {
            (quote!(), quote!(::ballet::testing::run_seeds(::core::stringify!(#name), #seeds, __ballet_body)))
        }
        TestArguments { seeds: Some(seeds), cuts: true } => {
            let cut = quote!(async || ::ballet::testing::cancel_at_every_await(__ballet_body).await);
            (quote!(), quote!(::ballet::testing::run_seeds(::core::stringify!(#name), #seeds, #cut)))
        }
    };
    let body = arguments.runs_often().then(|| quote!(async fn __ballet_body() #output #block));
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)* #vis fn #name() #returns {
            #body
            #run
        }
    }
    .into()
}

/// What stands in the brackets of `#[ballet::test(…)]`.
#[derive(Clone, Copy, Default)]
struct TestArguments {
    seeds: Option<u64>,
    cuts: bool,
}

impl TestArguments {
    fn runs_often(self) -> bool {
        self.seeds.is_some() || self.cuts
    }
}

impl Parse for TestArguments {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let mut arguments = Self::default();
        for argument in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            match &argument {
                Meta::Path(path) if path.is_ident("cancel_at_every_await") && !arguments.cuts => {
                    arguments.cuts = true;
                }
                Meta::NameValue(MetaNameValue { path, value: Expr::Lit(literal), .. })
                    if path.is_ident("seeds") && arguments.seeds.is_none() =>
                {
                    arguments.seeds = Some(seeds(&literal.lit)?);
                }
                _ => {
                    let message = "expected `seeds = 64` or `cancel_at_every_await`, each once";
                    return Err(Error::new_spanned(&argument, message));
                }
            }
        }
        Ok(arguments)
    }
}

fn seeds(literal: &Lit) -> Result<u64, Error> {
    match literal {
        Lit::Int(count) => match count.base10_parse()? {
            0 => Err(Error::new_spanned(literal, "a test in no order at all would never run")),
            count => Ok(count),
        },
        _ => Err(Error::new_spanned(literal, "the number of orders, such as `seeds = 64`")),
    }
}

fn plain(arguments: &TokenStream, function: &ItemFn) -> Result<(), Error> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(&function.sig.ident, "this attribute takes no arguments"));
    }
    is_plainly_async(function)
}

/// Whether the function is `async` and nothing else: what is not carried over to what it becomes is refused.
fn is_plainly_async(function: &ItemFn) -> Result<(), Error> {
    let Signature { asyncness, constness, safety, abi, generics, ident, .. } = &function.sig;
    if asyncness.is_none() {
        return Err(Error::new_spanned(ident, "the function must be `async`"));
    }
    let others: [&dyn ToTokens; 5] = [constness, safety, abi, generics, &generics.where_clause];
    match others.into_iter().map(ToTokens::to_token_stream).find(|other| !other.is_empty()) {
        None => Ok(()),
        Some(other) => Err(Error::new_spanned(
            other,
            "the function can be `async` and no more than that: neither generic nor `unsafe`",
        )),
    }
}

fn at_most(count: usize, function: &ItemFn) -> Result<(), Error> {
    match function.sig.inputs.iter().nth(count) {
        None => Ok(()),
        Some(extra) => {
            Err(Error::new_spanned(extra, format!("the function takes at most {count} arguments")))
        }
    }
}
