//! The attribute macros of Ballet. They only rename and call: what a program or a test is stands in the library.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, parse_macro_input};

/// Runs an async `main` as a [`Stage`](https://docs.rs/ballet) on Tokio's multi-thread runtime.
///
/// The function takes nothing or the stage's `ballet::Scope`, and returns `Result<(), ballet::Error>`. SIGINT and
/// SIGTERM end it in phases; the exit code is the curtain's. For budgets of your own, use `ballet::Stage` directly.
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
            async fn body(#scope) #output #block
            ::ballet::__private::main(body)
        }
    }
    .into()
}

/// Runs an async test in virtual time, and fails it when a job is left after its body.
///
/// The function takes nothing; it may return what any `#[test]` may return. Needs Ballet's feature `testing`.
///
/// ```
/// #[ballet::test]
/// async fn an_hour_passes_at_once() {
///     tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
/// }
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    if let Err(error) = plain(&arguments, &function).and_then(|()| at_most(0, &function)) {
        return error.to_compile_error().into();
    }
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)* #vis fn #name() #output {
            ::ballet::testing::run(::core::stringify!(#name), async #block)
        }
    }
    .into()
}

fn plain(arguments: &TokenStream, function: &ItemFn) -> Result<(), Error> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(&function.sig.ident, "this attribute takes no arguments"));
    }
    if function.sig.asyncness.is_none() {
        return Err(Error::new_spanned(&function.sig.ident, "the function must be `async`"));
    }
    Ok(())
}

fn at_most(count: usize, function: &ItemFn) -> Result<(), Error> {
    match function.sig.inputs.iter().nth(count) {
        None => Ok(()),
        Some(extra) => {
            Err(Error::new_spanned(extra, format!("the function takes at most {count} arguments")))
        }
    }
}
